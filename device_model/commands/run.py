"""`neuron-model run -- COMMAND`: a model of its own for one command, gone when the command is."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

from device_model.commands.failure import NOT_EXECUTABLE, NOT_FOUND, SIGNALLED, USAGE, Failure
from device_model.commands.launch import Child, interpreter, private_place, start_daemon, stop_child
from device_model.commands.signals import handling

_PR_SET_PDEATHSIG = 1
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def run(options: Any) -> int:
    """Starts a model on a private socket, runs the command with it, stops it; the command's exit code."""
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise Failure("run needs a command after --", "for example: neuron-model run -- neuron-ls", USAGE)
    if options.mounted:
        _check_mountable(options)
    # Our own tools are found although the environment they are installed in may not be active.
    tools = _tools_directory()
    search = os.pathsep.join([tools, os.environ.get("PATH", os.defpath)])
    executable = _executable(command[0], search)
    if options.mounted:
        mounting = interpreter("device_model.commands.mounting")
        command = [*mounting, os.path.abspath(options.host), tools, os.path.abspath(executable), *command]
        executable = command[0]
    made = options.host is not None and not os.path.isdir(options.host)
    with handling(_FORWARDED, _leave), _own_place() as path:
        child: Child | None = None
        try:
            child = start_daemon(options, path, bound=True)
            return _run_command(executable, command, {"NEURONTOOLS_SOURCE": f"model:{path}", "PATH": search})
        finally:
            if child is not None:
                stop_child(child)
                if options.host is not None:
                    _remove_tree(options.host, made)


@contextlib.contextmanager
def _own_place() -> Iterator[str]:
    """A socket path in a directory that is removed at the end; a signal waits while that is made or removed."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        path = private_place()
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield path
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
            shutil.rmtree(os.path.dirname(path), ignore_errors=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _tools_directory() -> str:
    """Where the tools are that were installed with us: beside the command, or, where a module is run, beside Python."""
    here = os.path.dirname(os.path.abspath(sys.argv[0]))
    return here if os.path.exists(os.path.join(here, "neuron-ls")) else os.path.dirname(sys.executable)


def _check_mountable(options: Any) -> None:
    if options.host is None:
        raise Failure(
            "--mount needs --host ROOT", "for example: neuron-model run --host /dev/shm/trn --mount -- bash", USAGE
        )
    if os.geteuid():
        raise Failure("--mount needs root", "run it with sudo, or leave --mount out and name ROOT to your program")


def _remove_tree(root: str, made: bool) -> None:
    """Removes what a daemon that was killed could not."""
    from device_model.publish.tree.root import remove_remains

    with contextlib.suppress(OSError):
        remove_remains(root)
        if made:
            os.rmdir(root)


def _run_command(executable: str, command: list[str], environment: dict[str, str]) -> int:
    # The terminal sends its interrupt to the command as well, which decides what it means. A handler and not
    # SIG_IGN, which the command would inherit.
    with handling([signal.SIGINT], lambda *_: None):
        try:
            process = subprocess.Popen(
                command, executable=executable, env=os.environ | environment, preexec_fn=_dying_with(os.getpid())
            )
        except OSError as error:
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            raise _cannot_run(command[0], str(error.strerror), code) from None
        with handling(_FORWARDED, lambda number, _: _forward(process, number)):
            code = process.wait()
    return code if code >= 0 else SIGNALLED - code


def _executable(name: str, search: str) -> str:
    """The file that a name stands for, also one whose execution will fail; raises Failure when there is none."""
    found = shutil.which(name, path=search) or shutil.which(name, mode=os.F_OK, path=search)
    if found is None and os.path.isdir(name) and os.path.dirname(name):
        raise _cannot_run(name, "it is a directory", NOT_EXECUTABLE)
    if found is None:
        raise _cannot_run(
            name, "there is no such file" if os.path.dirname(name) else "it is not found in PATH", NOT_FOUND
        )
    if not os.access(found, os.X_OK):
        raise _cannot_run(name, "it is not executable", NOT_EXECUTABLE)
    return found


def _cannot_run(name: str, why: str, code: int) -> Failure:
    return Failure(f"cannot run {name}: {why}", "", code)


def _dying_with(parent: int) -> Callable[[], None]:
    """What the command does before it begins: it asks for SIGTERM for when this process is killed."""
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """While there is no command yet, or no longer: end, and clean up on the way."""
    raise SystemExit(SIGNALLED + number)


def _forward(process: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
