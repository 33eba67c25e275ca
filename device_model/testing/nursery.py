"""The process that daemons for tests are forked from: started with the first one, so that the others start at once."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from device_model.commands.failure import Failure
from device_model.commands.launch import START_TIMEOUT_S, STOP_TIMEOUT_S, interpreter, private_place
from device_model.commands.listen import log_path
from neurontools.wire import Client, WireError

_MODULE = "device_model.testing.forks"
_LOOK_S = 0.01
_STILLBORN = "the device model ended before it answered"


class Cradle:
    """A daemon: its socket in a directory of its own, and its process; `pid` is 0 for one that is over."""

    def __init__(self, path: str, pid: int) -> None:
        self.path = path
        self._pid = pid
        self._life: int | None = None
        # A sandbox may lack the call; then the number alone has to do.
        with contextlib.suppress(OSError):
            self._life = os.pidfd_open(pid) if pid else None

    def ends_within(self, seconds: float) -> bool:
        """Whether the process has ended, now or after a wait of at most so long."""
        if self._life is not None:
            return _readable(self._life, seconds)
        deadline = time.monotonic() + seconds
        while self._pid and os.path.exists(f"/proc/{self._pid}"):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True

    def last_words(self) -> str:
        """What the daemon said when it failed; nothing while it runs or when it ended as it should."""
        try:
            with open(log_path(self.path), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except FileNotFoundError:
            return ""

    def empty(self) -> str:
        """Ends the process, waits until it is gone, and removes its directory; returns its last words."""
        if not self.ends_within(0):
            with contextlib.suppress(WireError), Client(self.path, STOP_TIMEOUT_S) as client:
                client.call("stop")
            if not self.ends_within(STOP_TIMEOUT_S):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                self.ends_within(STOP_TIMEOUT_S)
        if self._life is not None:
            os.close(self._life)
        self._life, self._pid = None, 0
        said = self.last_words()
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)
        return said


class Nursery:
    """Starts daemons. Its process ends with this one, whatever ends it, and the daemons end with that."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def bear(self, request: Mapping[str, Any]) -> Cradle:
        """A daemon for a stepped model, which answers already: see device_model.testing.forks for the request.

        Raises Failure with what it said when it could not start.
        """
        path = private_place()
        try:
            line = json.dumps({"path": path, **request}).encode() + b"\n"
            pid = self._ask(line)
        except BaseException:
            # The answer may still come, and would be taken for the next one's.
            self.close()
            shutil.rmtree(os.path.dirname(path), ignore_errors=True)
            raise
        cradle = Cradle(path, pid)
        if cradle.ends_within(0):
            raise Failure(cradle.empty() or _STILLBORN)
        return cradle

    def close(self) -> None:
        """Ends the process and every daemon that still runs; the next `bear` starts another."""
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None

    def _ask(self, line: bytes) -> int:
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line)
        deadline, answer = time.monotonic() + START_TIMEOUT_S, b""
        while not answer.endswith(b"\n"):
            if not _readable(process.stdout.fileno(), deadline - time.monotonic()):
                raise Failure(f"the device model did not answer within {START_TIMEOUT_S:.0f} s")
            chunk = os.read(process.stdout.fileno(), 64)
            if not chunk:
                raise Failure(process.communicate()[1].decode(errors="replace").strip() or _STILLBORN)
            answer += chunk
        return int(answer)


def _started() -> "subprocess.Popen[bytes]":
    # A session of its own: the terminal's interrupt is meant for the tests, which end it in order.
    return subprocess.Popen(
        interpreter(_MODULE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


def _readable(fd: int, timeout_s: float) -> bool:
    # Not select, which refuses descriptors from 1024 up.
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))
