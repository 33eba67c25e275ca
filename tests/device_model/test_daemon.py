"""A real daemon among hostile clients, busy with a long advance, and when its model fails."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from neurontools.wire import Client, WireError
from tests.device_model.daemons import (
    PATIENCE_S,
    alive,
    answer,
    await_end,
    call,
    connection,
    running,
    short_directory,
    socket_in,
    surroundings,
    wait_until,
)

HOUR_NS = 3600 * 10**9
LONG_NS = 100 * 24 * HOUR_NS

PROMPT_S = 1.0
"""Of the daemon's own time; that it answers at all is bounded by PATIENCE_S."""
MOST_GROWTH_BYTES = 50 << 20

Daemon = tuple[str, int]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """Socket and pid of a stepped model."""
    with short_directory() as directory, running(directory, "--stepped") as pid:
        yield socket_in(directory), pid


@pytest.fixture
def busy() -> Iterator[Daemon]:
    """Socket and pid of a stepped model that a test may end."""
    with short_directory() as directory, running(directory, "--stepped") as pid:
        yield socket_in(directory), pid


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def running_s(pid: int) -> float:
    """How long the daemon has run on a CPU: what its clients wait for, however busy the machine is besides."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def check_unharmed(daemon: Daemon, misuse: Callable[[str], object]) -> None:
    """A client beside the misuse is served promptly, and the daemon keeps little of it in memory."""
    path, pid = daemon
    with Client(path, PATIENCE_S) as client:
        client.call("snapshot")
        before = resident_bytes(pid)
        stopped, slowest = threading.Event(), [0.0]

        def use() -> None:
            while not stopped.is_set():
                started = running_s(pid)
                client.call("snapshot")
                slowest[0] = max(slowest[0], running_s(pid) - started)
                stopped.wait(0.01)

        beside = threading.Thread(target=use)
        beside.start()
        try:
            misuse(path)
            time.sleep(0.05)
            growth = resident_bytes(pid) - before
        finally:
            stopped.set()
            beside.join()
    assert slowest[0] < PROMPT_S
    assert growth < MOST_GROWTH_BYTES


def send_much(path: str, end: bytes) -> None:
    with connection(path) as bare:
        with suppress(ConnectionError):
            for _ in range(100):
                bare.sendall(b"x" * (1 << 20))
            bare.sendall(end)
        assert answer(bare)["error"]["kind"] == "bad_request"


def never_read(path: str) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            bare = stack.enter_context(connection(path))
            bare.settimeout(0.1)
            with suppress(TimeoutError):
                for _ in range(5000):
                    bare.sendall(b'{"call": "snapshot"}\n' * 10)
        time.sleep(0.3)


def half_lines(path: str) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            bare = stack.enter_context(connection(path))
            bare.setblocking(False)
            with suppress(BlockingIOError):
                bare.send(b'{"call": "' + b"x" * 190_000)
        time.sleep(0.3)


def three_hundred(path: str) -> None:
    kinds = []
    with ExitStack() as stack:
        crowd = [stack.enter_context(connection(path)) for _ in range(300)]
        for bare in crowd:
            with suppress(ConnectionError):
                bare.sendall(b'{"call": "status"}\n')
        for bare in crowd:
            answered = answer(bare)
            kinds.append(answered["error"]["kind"] if "error" in answered else "")
    assert set(kinds) == {"", "busy"}
    assert kinds.count("") >= 250


@pytest.mark.parametrize(
    "misuse",
    [lambda path: send_much(path, b""), lambda path: send_much(path, b"\n"), never_read, half_lines, three_hundred],
    ids=["endless", "100 MB", "never reads", "half lines", "300 clients"],
)
def test_misuse_harms_nobody_beside_it(daemon: Daemon, misuse: Callable[[str], object]) -> None:
    check_unharmed(daemon, misuse)


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (b"\x00\xfe garbage", "bad_request", "not a line of JSON"),
        (b"[" * 200_000, "bad_request", "not a line of JSON"),
        (b'{"call":"past","args":{"age_ns":' + b"[" * 900 + b"]" * 900 + b"}}", "bad_request", ""),
        (b'{"call":"past","args":{"age_ns":1' + b"0" * 400 + b"}}", "bad_request", "age_ns: expected a whole number"),
        (b'{"call":"past","args":{"age_ns":1' + b"0" * 9000 + b"}}", "bad_request", ""),
        (b'{"call":"past","args":{"age_ns":1e999}}', "bad_request", "found inf"),
        (b'{"call":"advance","args":{"duration_ns":"1h"}}', "bad_request", "duration_ns: expected a whole number"),
        (b'{"call":"advance","args":{"duration_ns":4611686018427387904}}', "refused", "the year 2116"),
        (b'{"call":"advance","args":[]}', "bad_request", "expected"),
        (b'{"call":"status","args":null}', "bad_request", "expected"),
        (b'{"call":"\\ud800"}', "unknown_call", "there are advance, allocations"),
        (b'{"call":"allocations","args":{"device":99}}', "not_found", "no device 99"),
        (b'{"call":"signal","args":{"pid":1,"number":9}}', "refused", "no simulated process has pid 1"),
    ],
)
def test_a_bad_request_gets_a_clear_error(daemon: Daemon, line: bytes, kind: str, words: str) -> None:
    with connection(daemon[0]) as bare:
        bare.sendall(line + b"\n")
        error = answer(bare)["error"]
        assert (error["kind"], words in error["message"]) == (kind, True)
        assert len(error["message"]) < 300
        bare.sendall(b'{"call": "status"}\n')
        assert answer(bare)["result"]["pid"] == daemon[1]


def test_advances_at_the_same_time_add_up(daemon: Daemon) -> None:
    path, _ = daemon
    before = call(path, "status")["uptime_ns"]
    threads = [
        threading.Thread(target=call, args=(path, "advance"), kwargs={"duration_ns": 60 * 10**9}) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert call(path, "status")["uptime_ns"] == before + 180 * 10**9


def begin_advance(path: str, duration_ns: int) -> socket.socket:
    bare = socket.socket(socket.AF_UNIX)
    bare.connect(path)
    bare.settimeout(PATIENCE_S)
    bare.sendall(json.dumps({"call": "advance", "args": {"duration_ns": duration_ns}}).encode() + b"\n")
    return bare


def test_readers_see_the_instants_on_the_way_of_an_advance(busy: Daemon) -> None:
    path, pid = busy
    with begin_advance(path, LONG_NS) as waiting, Client(path, PATIENCE_S) as client:
        times, taken = [], []
        for _ in range(10):
            started = running_s(pid)
            times.append(client.call("snapshot")["head"]["time_ns"])
            taken.append(running_s(pid) - started)
            time.sleep(0.02)
        # The daemon works on while this process does not get to run, so one of them says little.
        assert sorted(taken)[len(taken) // 2] < 0.25
        assert times == sorted(times)
        assert len(set(times)) > 5
        client.call("stop")
        error = answer(waiting)["error"]
    assert error["kind"] == "refused"
    assert "the device model was stopped on the way" in error["message"]
    await_end(pid)
    assert not os.path.exists(path)


@pytest.mark.slow
def test_clients_that_leave_during_their_advance_harm_nobody(busy: Daemon) -> None:
    path, pid = busy
    for _ in range(70):
        begin_advance(path, LONG_NS // 100).close()
    with Client(path) as client:
        wait_until(lambda: client.call("status")["uptime_ns"] > HOUR_NS)
        with pytest.raises(WireError, match="64 clients wait for an advance already") as caught:
            client.call("advance", duration_ns=1)
    assert caught.value.kind == "busy"
    assert alive(pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with short_directory() as directory, running(directory, "--scenario", "idle") as pid:
        os.kill(pid, number)
        await_end(pid)
        assert list((directory / "neurontools").iterdir()) == []


BROKEN = """
import sys
from device_model.__main__ import main
from device_model.simulation import Simulation

part = sys.argv[1]
whole = getattr(Simulation, part)

def broken(self, *args):
    if part == "advance" and args[0] == self.epoch_ns:
        return whole(self, *args)
    raise KeyError("no such\\nthing")

setattr(Simulation, part, broken)
sys.exit(main(["start", "--foreground", "--stepped", "--socket", sys.argv[2]]))
"""


@pytest.mark.parametrize(
    ("part", "request_"),
    [
        ("snapshot", {"call": "snapshot"}),
        ("advance", {"call": "advance", "args": {"duration_ns": 5}}),
        ("next_event_ns", None),
    ],
)
def test_a_model_that_fails_says_so_and_ends(part: str, request_: dict[str, Any] | None) -> None:
    with short_directory() as directory:
        path = str(directory / "m.sock")
        with subprocess.Popen(
            [sys.executable, "-c", BROKEN, part, path],
            stderr=subprocess.PIPE,
            text=True,
            env=surroundings(directory),
        ) as process:
            try:
                # One fails when it is read, another by itself.
                errors = [] if request_ is None else [failing(path, request_)]
                _, said = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        assert process.returncode == 70
        first, second = said.splitlines()
        assert first.startswith("neuron-model: the device model has failed 0s after its start: KeyError: 'no such")
        assert "scenario opt-30b, instance inf2.48xlarge, seed 1" in second
        assert all(error["kind"] == "internal" and error["message"] in first for error in errors)
        assert list(directory.iterdir()) == []


def listens(path: str) -> bool:
    with suppress(OSError), connection(path):
        return True
    return False


def failing(path: str, request_: dict[str, Any]) -> Any:
    # The path is there a moment before anybody listens on it.
    wait_until(lambda: listens(path))
    with connection(path) as bare:
        bare.sendall(json.dumps(request_).encode() + b"\n")
        return answer(bare)["error"]


def test_few_file_descriptors_are_enough() -> None:
    with short_directory() as directory, running(directory, "--scenario", "idle") as pid:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (32, 32))
        path = socket_in(directory)
        with ExitStack() as stack:
            crowd = [stack.enter_context(connection(path)) for _ in range(60)]
            time.sleep(0.1)
            assert len(crowd) == 60
        assert call(path, "status")["pid"] == pid
