"""Real daemons for tests: the command line in processes of its own, on private sockets."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from neurontools.wire import Client

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "device_model"]
PATIENCE_S = 60.0

WAITING = "neuron-model: starting the device model …\n"
"""What is said of a start that takes longer than a second, which says something about this machine only."""


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """A fresh private directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="nm-") as directory:
        yield Path(directory)


def surroundings(directory: Path, **more: str) -> dict[str, str]:
    """An environment in which everything that a daemon makes is in `directory`."""
    return os.environ | {"XDG_RUNTIME_DIR": str(directory), "TMPDIR": str(directory), "PYTHONPATH": str(ROOT)} | more


def launch(directory: Path, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Starts the command line in `directory`; its output can be read."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    settings: dict[str, Any] = {"env": surroundings(directory), "cwd": directory} | pipes | options
    started: subprocess.Popen[str] = subprocess.Popen([*COMMAND, *arguments], text=True, **settings)
    return started


def cli(
    directory: Path, *arguments: str, patience_s: float = PATIENCE_S, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Runs the command line in `directory` to its end."""
    with launch(directory, *arguments, **options) as process:
        out, err = process.communicate(timeout=patience_s)
    return subprocess.CompletedProcess(process.args, process.returncode, out or "", (err or "").replace(WAITING, ""))


def socket_in(directory: Path) -> str:
    """Where a daemon of these surroundings listens."""
    return str(directory / "neurontools" / "model.sock")


@contextlib.contextmanager
def running(directory: Path, *arguments: str) -> Iterator[int]:
    """A daemon in the background; gives its pid."""
    started = cli(directory, "start", *arguments)
    assert started.returncode == 0, started.stderr
    pid = call(socket_in(directory), "status")["pid"]
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
            await_end(pid)


def call(path: str, name: str, **arguments: Any) -> Any:
    """The result of one call."""
    with Client(path, PATIENCE_S) as client:
        return client.call(name, **arguments)


@contextlib.contextmanager
def connection(path: str) -> Iterator[socket.socket]:
    """A bare connection, for what no client of ours would send."""
    with socket.socket(socket.AF_UNIX) as bare:
        # Without a time limit, which would make a full queue an error instead of a wait.
        bare.connect(path)
        bare.settimeout(PATIENCE_S)
        yield bare


def answer(bare: socket.socket) -> Any:
    """The next answer on a bare connection."""
    received = b""
    while not received.endswith(b"\n"):
        chunk = bare.recv(1 << 20)
        assert chunk, "the connection was closed"
        received += chunk
    return json.loads(received)


def wait_until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Returns when something is true; fails the test when it does not become so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_end(pid: int) -> None:
    """Returns when a process has ended."""
    wait_until(lambda: not alive(pid))
