"""A simulated host's files in their places: a mount namespace for one command, of which nothing is seen outside.

`python -m device_model.commands.mounting ROOT TOOLS EXECUTABLE ARGUMENT…` becomes that command.
"""

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterator

from device_model.commands.failure import FAILED, NOT_EXECUTABLE
from neurontools.hardware.driver import DIRECTORIES, PCI_DRIVER_DIRECTORY

AWS_DIRECTORY = "/opt/aws/neuron"
AWS_TOOLS = (
    *("neuron-ls", "neuron-top", "neuron-monitor", "neuron-monitor-cloudwatch.py", "neuron-monitor-prometheus.py"),
    *("neuron-monitor-device-view.py", "neuron-monitor-k8s-info.py", "neuron-monitor-top.py"),
)
"""What AWS installs there and may be a tool of ours."""

_DEVICE_DIRECTORY = os.path.dirname(DIRECTORIES["device"])
_WHOLE = (DIRECTORIES["class"], _DEVICE_DIRECTORY, DIRECTORIES["module"], PCI_DRIVER_DIRECTORY)
_ENTRIES = (DIRECTORIES["dmi"], os.path.dirname(DIRECTORIES["pci"]))
"""Directories below /sys that are the host's altogether, and those that it has entries in."""

_NEW_NAMESPACE = 0x20000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000


class Namespace:
    """This process's own view of the files, from now on. Raises OSError where the system refuses."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._own: set[str] = set()
        self._check(self._libc.unshare(_NEW_NAMESPACE), "a mount namespace")
        self._mount(None, "/", None, _RECURSIVE | _PRIVATE)

    def show(self, source: str, path: str) -> None:
        """A file or directory appears at a path, in the place of what is there."""
        directory, name = os.path.split(path)
        directory = os.path.realpath(directory)
        path = os.path.join(directory, name)
        # A link would lead the mount elsewhere.
        if os.path.islink(path) or not os.path.exists(path):
            self._take(directory)
            if os.path.islink(path):
                os.unlink(path)
            _make_place(source, path)
        self._mount(source, path, None, _BIND | _RECURSIVE)

    def empty(self, path: str) -> None:
        """An empty directory appears at a path."""
        if not os.path.isdir(path):
            self._take(os.path.dirname(path))
            os.mkdir(path, 0o755)
        self._mount("tmpfs", path, "tmpfs", 0, "mode=755")
        self._own.add(path)

    def device(self, path: str, major: int, minor: int) -> bool:
        """A character device appears at a path; False where this system allows none, or has a driver of its own of
        that number."""
        if _is_taken(major):
            return False
        self._take(os.path.dirname(path))
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        except OSError:
            return False
        os.chmod(path, 0o666)
        return True

    def _take(self, directory: str) -> None:
        """Makes a directory one that entries can be made in: a new one with all that was there."""
        if directory in self._own:
            return
        if not os.path.isdir(directory):
            self._take(os.path.dirname(directory))
            os.mkdir(directory, 0o755)
            self._own.add(directory)
            return
        hidden = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            self.empty(directory)
            for name in os.listdir(f"/proc/self/fd/{hidden}"):
                with contextlib.suppress(FileNotFoundError):
                    self._carry_over(f"/proc/self/fd/{hidden}/{name}", os.path.join(directory, name))
        finally:
            os.close(hidden)

    def _carry_over(self, source: str, path: str) -> None:
        if os.path.islink(source):
            os.symlink(os.readlink(source), path)
        else:
            _make_place(source, path)
            self._mount(source, path, None, _BIND | _RECURSIVE)

    def _mount(self, source: str | None, path: str, kind: str | None, flags: int, data: str | None = None) -> None:
        words = [None if word is None else os.fsencode(word) for word in (source, path, kind, data)]
        self._check(self._libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), path)

    def _check(self, result: int, what: str) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), what)


def _make_place(source: str, path: str) -> None:
    if os.path.isdir(source):
        os.mkdir(path, 0o755)
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def _is_taken(major: int) -> bool:
    """Whether some driver of this machine has a character device's major number."""
    with open("/proc/devices", encoding="ascii", errors="replace") as file:
        character = file.read().split("Block devices:")[0]
    return any(line.split()[:1] == [str(major)] for line in character.splitlines())


def furnish(namespace: Namespace, root: str, tools: str) -> None:
    """Shows a published tree in a namespace: the driver's directories, DMI and PCI entries, device nodes and tools."""
    for source, path in _sysfs(root):
        namespace.show(source, path)
    for name in sorted(os.listdir(os.path.join(root, "dev"))):
        if name.startswith("neuron"):
            major, minor = _numbers(root, name)
            if not namespace.device(f"/dev/{name}", major, minor):
                namespace.show(os.path.join(root, "dev", name), f"/dev/{name}")
    namespace.empty(AWS_DIRECTORY)
    os.mkdir(f"{AWS_DIRECTORY}/bin")
    for name in AWS_TOOLS:
        if os.path.exists(os.path.join(tools, name)):
            os.symlink(os.path.join(tools, name), f"{AWS_DIRECTORY}/bin/{name}")


def _sysfs(root: str) -> Iterator[tuple[str, str]]:
    for directory in _WHOLE:
        source = os.path.join(root, "sys", directory)
        if os.path.isdir(source):
            yield source, f"/sys/{directory}"
    for directory in _ENTRIES:
        source = os.path.join(root, "sys", directory)
        for name in sorted(os.listdir(source)) if os.path.isdir(source) else ():
            yield os.path.join(source, name), f"/sys/{directory}/{name}"


def _numbers(root: str, name: str) -> tuple[int, int]:
    with open(os.path.join(root, "sys", _DEVICE_DIRECTORY, name, "dev"), encoding="ascii") as file:
        major, minor = file.read().split(":")
    return int(major), int(minor)


def main(arguments: list[str]) -> int:
    """Becomes the command; returns only when that cannot be, with an exit code."""
    root, tools, executable, *command = arguments
    try:
        furnish(Namespace(), root, tools)
    except OSError as error:
        print(f"neuron-model: cannot mount the simulated host: {error.filename}: {error.strerror}", file=sys.stderr)
        print("neuron-model: leave --mount out, and name the files below --host to your program", file=sys.stderr)
        return FAILED
    try:
        os.execv(executable, command)
    except OSError as error:
        print(f"neuron-model: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
    return NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
