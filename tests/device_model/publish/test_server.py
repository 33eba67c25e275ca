"""The server alone, with small limits: every way to misuse a connection, and that the others do not notice."""

import asyncio
import errno
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from device_model.publish import server
from neurontools.wire import WireError
from tests.sources.server import socket_path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
Scene = Callable[[server.Server, Connect], Awaitable[None]]

BIG = 4 << 20
SLOW_S = 0.5
"""Enough for a busy machine to do something else meanwhile."""


async def answer(call: str, args: dict[str, Any]) -> bytes:
    if call == "big":
        return b'"' + b"x" * BIG + b'"'
    if call == "slow":
        await asyncio.sleep(SLOW_S)
    if call == "refuse":
        raise WireError("refused", "not now", "later")
    return json.dumps(call).encode()


@pytest.fixture
def path() -> Iterator[str]:
    with socket_path() as path:
        yield path


def play(path: str, scene: Scene) -> None:
    """Runs a scene against a server; a step of it that waits for what never comes fails the test."""

    async def run() -> None:
        tested = server.Server(answer)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            listening = asyncio.create_task(tested.listen(listener))
            opened: list[Streams] = []

            async def connect() -> Streams:
                opened.append(await asyncio.open_unix_connection(path, limit=2 * BIG))
                return opened[-1]

            async with asyncio.timeout(60):
                await scene(tested, connect)
            listening.cancel()
            await tested.close()
            for _, writer in opened:
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

    asyncio.run(run())


async def ask(streams: Streams, line: bytes) -> Any:
    """The result of one request, or the kind of its error."""
    streams[1].write(line)
    return await take(streams)


async def take(streams: Streams) -> Any:
    answered = json.loads(await streams[0].readline())
    return answered["result"] if "result" in answered else answered["error"]["kind"]


def request(call: str) -> bytes:
    return json.dumps({"call": call}).encode() + b"\n"


def test_requests_on_a_connection_are_answered_in_order(path: str) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        streams = await connect()
        calls = ["slow", "a", "refuse", "b"]
        streams[1].write(b"".join(map(request, calls)))
        assert [await take(streams) for _ in calls] == ["slow", "a", "refused", "b"]

    play(path, scene)


@pytest.mark.parametrize("garbage", [b"\n", b"\x00\xff\n", b"GET / HTTP/1.1\r\n", b"[" * 5000 + b"\n", b'{"call":1}\n'])
def test_garbage_gets_an_error_and_the_connection_goes_on(path: str, garbage: bytes) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        streams = await connect()
        assert await ask(streams, garbage) == "bad_request"
        assert await ask(streams, request("a")) == "a"

    play(path, scene)


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 70_000, 9 << 20])
def test_a_request_that_is_too_long_is_refused_and_skipped(path: str, size: int) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        streams = await connect()
        assert await ask(streams, b"x" * size + b"\n" + request("a")) == "bad_request"
        assert await take(streams) == "a"

    play(path, scene)


def test_the_longest_request_is_taken(path: str) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        line = request("a")
        assert await ask(await connect(), b" " * ((1 << 20) - len(line)) + line) == "a"

    play(path, scene)


def test_a_request_without_end_is_cut_off(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SKIPPED_BYTES", 1 << 20)

    async def scene(_: server.Server, connect: Connect) -> None:
        writer = (await connect())[1]
        with pytest.raises(ConnectionError):
            while True:
                writer.write(b"x" * 100_000)
                await writer.drain()
        assert await ask(await connect(), request("a")) == "a"

    play(path, scene)


def test_half_a_request_does_not_hold_a_place_for_ever(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.05)

    async def scene(_: server.Server, connect: Connect) -> None:
        idle, half = await connect(), await connect()
        half[1].write(b'{"call": ')
        assert await half[0].read() == b""
        assert await ask(idle, request("a")) == "a"

    play(path, scene)


def test_long_unfinished_requests_share_a_budget(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HELD_BYTES", 1 << 20)

    async def scene(_: server.Server, connect: Connect) -> None:
        crowd = [await connect() for _ in range(4)]
        for streams in crowd:
            streams[1].write(b" " * 400_000)
        # One of them is refused, and what it sends is not kept any more.
        answers = [asyncio.create_task(take(streams)) for streams in crowd]
        done, waiting = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in done} == {"busy"}
        assert await ask(await connect(), request("a")) == "a"
        for task in waiting:
            task.cancel()

    play(path, scene)


def test_a_client_that_takes_nothing_is_dropped(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "UNREAD_SECONDS", 0.05)

    async def scene(_: server.Server, connect: Connect) -> None:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(path)
            silent.sendall(request("big") * 100)
            await asyncio.sleep(SLOW_S)
            silent.setblocking(False)
            received = 0
            with suppress(ConnectionError):
                while chunk := silent.recv(1 << 20):
                    received += len(chunk)
        assert received < BIG
        assert await ask(await connect(), request("a")) == "a"

    play(path, scene)


def test_the_longest_unread_answer_is_dropped_first(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "UNREAD_BYTES", 2 * BIG + 1000)

    async def scene(_: server.Server, connect: Connect) -> None:
        silent = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for connection in silent:
            connection.connect(path)
            connection.sendall(request("big"))
            await asyncio.sleep(0.1)
        # What a reader gets who comes to it late: the first has lost its answer, the others have not.
        for connection, whole in zip(silent, (False, True, True), strict=True):
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=2 * BIG)
            assert (await reader.readline()).endswith(b"\n") is whole
            writer.close()

    play(path, scene)


def test_one_client_too_many_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CLIENTS", 2)

    async def scene(_: server.Server, connect: Connect) -> None:
        first, second = await connect(), await connect()
        assert await ask(first, request("a")) == "a"
        assert await ask(second, request("a")) == "a"
        third = await connect()
        assert await ask(third, request("a")) == "busy"
        assert await third[0].read() == b""
        first[1].close()
        # Until the server has noticed.
        while (answered := await ask(await connect(), request("b"))) == "busy":
            await asyncio.sleep(0.01)
        assert answered == "b"

    play(path, scene)


def test_a_client_that_says_it_sends_no_more_gets_its_answers(path: str) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(request("slow") + request("a"))
        writer.write_eof()
        assert (await reader.read()).splitlines() == [b'{"result":"slow"}', b'{"result":"a"}']

    play(path, scene)


def test_closing_lets_an_answer_under_way_leave(path: str) -> None:
    async def scene(tested: server.Server, connect: Connect) -> None:
        idle, busy = await connect(), await connect()
        busy[1].write(request("slow") + request("a"))
        await asyncio.sleep(SLOW_S / 5)
        await tested.close()
        assert await idle[0].read() == b""
        assert (await busy[0].read()).splitlines() == [b'{"result":"slow"}']

    play(path, scene)


def test_a_lack_of_descriptors_passes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(_: server.Server, connect: Connect) -> None:
        loop = asyncio.get_running_loop()
        accept = loop.sock_accept
        failed: list[socket.socket] = []

        async def lacking(listener: socket.socket) -> Any:
            if len(failed) < 2:
                failed.append(listener)
                raise OSError(errno.EMFILE, "Too many open files")
            return await accept(listener)

        assert await ask(await connect(), request("a")) == "a"
        monkeypatch.setattr(loop, "sock_accept", lacking)
        # The accept that waits is the loop's own; those after it fail.
        assert [await ask(await connect(), request("b")) for _ in range(3)] == ["b", "b", "b"]
        assert len(failed) == 2

    play(path, scene)
