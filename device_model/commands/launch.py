"""A daemon in another process: started, waited for, stopped."""

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

import device_model
from device_model.commands.failure import FAILED, SIGNALLED, Failure, of_system
from device_model.commands.listen import MAX_PATH_BYTES

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
QUIET_S = 1.0
"""A wait longer than this says what it waits for."""

_DESCRIPTOR = re.compile(r"/dev/stdin|/(?:dev|proc/self)/fd/([0-9]{1,9})")
_TALK = "neuron-model: "


class Child(NamedTuple):
    """A daemon that answers. `life` is the pipe that ends it when closed; None for one that lives on alone."""

    process: subprocess.Popen[bytes]
    life: int | None


def start_daemon(options: Any, path: str, bound: bool) -> Child:
    """Starts a daemon on `path` and returns when it answers; `bound` makes it end with this process.

    Raises Failure with what the daemon said when it could not start. Nothing is left running after any exception.
    """
    ready_out, ready_in = os.pipe()
    life_out, life_in = os.pipe() if bound else (None, None)
    command = [*interpreter("device_model"), *_arguments(options, path), f"--ready-fd={ready_in}"]
    command += [f"--parent-fd={life_out}"] if bound else []
    passed, lent = [fd for fd in (ready_in, life_out) if fd is not None], _lent(options.restore or options.scenario)
    # A session of its own: neither the terminal's interrupt nor its end is meant for the daemon.
    process = subprocess.Popen(
        command,
        stdin=None if lent == 0 else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[*passed, lent] if lent else passed,
        start_new_session=True,
    )
    for fd in passed:
        os.close(fd)
    child = Child(process, life_in)
    try:
        _await_ready(process, ready_out, None if options.restore else START_TIMEOUT_S)
    except BaseException:
        process.terminate()
        stop_child(child)
        raise
    finally:
        os.close(ready_out)
    return child


def interpreter(module: str) -> list[str]:
    """The beginning of a command that runs one of our modules."""
    # A module of the user's in the current directory must not be taken for one of the standard library's,
    # except where that directory is the only way to find this package.
    here = os.path.dirname(os.path.dirname(os.path.abspath(device_model.__file__)))
    try:
        needed = here == os.getcwd()
    except FileNotFoundError:
        needed = False
    return [sys.executable, *([] if needed else ["-P"]), "-m", module]


def _arguments(options: Any, path: str) -> list[str]:
    given = {"instance": options.instance, "seed": options.seed}
    given |= {"host": options.host, "driver-version": options.driver_version}
    if options.restore:
        given["restore"] = os.path.abspath(options.restore)
    else:
        given["scenario"] = options.scenario
    named = [f"--{name}={value}" for name, value in given.items() if value is not None]
    mounted = ["--mounted"] if options.mounted else []
    return ["start", "--foreground", f"--socket={path}", f"--speed={options.speed}", *named, *mounted]


def _lent(path: str) -> int | None:
    """The descriptor of this process that a path names, as a shell's `<(…)` does: the daemon has it only when given."""
    named = _DESCRIPTOR.fullmatch(path)
    fd = int(named[1] or 0) if named else None
    try:
        if fd is not None:
            os.fstat(fd)
    except (OSError, OverflowError):
        # The daemon says that there is none.
        return None
    return fd


def _await_ready(process: subprocess.Popen[bytes], ready_out: int, timeout_s: float | None) -> None:
    said, started = False, time.monotonic()
    while timeout_s is None or time.monotonic() < started + timeout_s:
        if select.select([ready_out], [], [], QUIET_S)[0]:
            if os.read(ready_out, 16) == b"ready\n":
                return
            raise _stillborn(process)
        if not said:
            print(f"{_TALK}starting the device model …", file=sys.stderr)
            said = True
    raise Failure(f"the device model did not answer within {timeout_s:.0f} s")


def _stillborn(process: subprocess.Popen[bytes]) -> Failure:
    said = _last_words(process)
    code = process.wait()
    return Failure(
        said or "the device model ended before it answered",
        "",
        code if code > 0 else SIGNALLED - code if code else FAILED,
    )


def _last_words(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    lines = process.stderr.read().decode(errors="replace").splitlines()
    return "\n".join(line.removeprefix(_TALK) for line in lines)


def stop_child(child: Child) -> None:
    """Ends a daemon that was started here, waits until it is gone, and passes on what it had to say."""
    if child.life is not None:
        os.close(child.life)
    try:
        child.process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    assert child.process.stderr is not None
    if not child.process.stderr.closed:
        for line in _last_words(child.process).splitlines():
            print(f"{_TALK}{line}", file=sys.stderr)
        child.process.stderr.close()


def private_place() -> str:
    """A socket path in a new directory that only we can enter; raises Failure."""
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    name = "neuron-12345678/model.sock"
    usable = [base for base in bases if os.path.isabs(base) and os.access(base, os.W_OK | os.X_OK)]
    short = [base for base in usable if len(os.fsencode(os.path.join(base, name))) <= MAX_PATH_BYTES]
    base = next(iter(short), tempfile.gettempdir())
    try:
        return os.path.join(tempfile.mkdtemp(prefix="neuron-", dir=base), "model.sock")
    except OSError as error:
        raise of_system("cannot make a directory in", base, error) from None
