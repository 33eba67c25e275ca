"""The socket's server side: bounded requests, clear errors, and no client that can hold up or harm another."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from neurontools.wire import MAX_REQUEST_BYTES, WireError, decode_request, encode_answer, encode_error

MAX_CLIENTS = 256
"""Connections at one time; the next is told that the model is busy."""

RECEIVE_BYTES = 1 << 16
"""What is taken from a connection at once."""

HELD_BYTES = 8 << 20
"""Unfinished requests of all connections together, beside RECEIVE_BYTES of each, which are always taken."""

UNREAD_BYTES = 32 << 20
"""Answers of all connections together that wait to be read; beyond it the one that waits longest is dropped."""

SKIPPED_BYTES = 256 << 20
"""So much of a request that is too long is thrown away before its client is disconnected."""

REQUEST_SECONDS = 30.0
"""A request must be complete this long after its first byte."""

UNREAD_SECONDS = 30.0
"""An answer must have been taken after this long, or its client is disconnected."""

REFUSAL_SECONDS = 1.0
"""How long one client too many may take to ask before it is told so."""

LAST_WORDS_SECONDS = 1.0
"""How long answers under way may take when the server closes."""

_DESCRIPTORS_WAIT_S = 0.1

Answer = Callable[[str, dict[str, Any]], Awaitable[bytes]]
"""Answers a call with JSON, or raises WireError."""


class _Client:
    """One connection: what has come of its next request, and whether that is to be thrown away."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pending = bytearray()
        self.skipping = False
        self.answering = False


class Server:
    """Speaks the line protocol with any number of clients; each connection's requests are answered in order.

    It works on bare sockets: asyncio's streams keep up to 2 MiB of each connection, whoever it belongs to.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._clients: dict[asyncio.Task[None], _Client] = {}
        self._unread: dict[asyncio.Task[None], int] = {}
        self._closing = False

    async def listen(self, listener: socket.socket) -> None:
        """Takes connections of a listening socket that does not block, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:
                # No file descriptor is left. Clients that leave give some back.
                await asyncio.sleep(_DESCRIPTORS_WAIT_S)
                continue
            client = _Client(connection)
            task = asyncio.create_task(self._serve(client))
            self._clients[task] = client
            task.add_done_callback(self._clients.pop)
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Lets answers under way leave, then ends all conversations."""
        self._closing = True
        answering = [task for task, client in self._clients.items() if client.answering]
        for task in self._clients.keys() - answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering, timeout=LAST_WORDS_SECONDS)
        left = list(self._clients)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, client: _Client) -> None:
        try:
            with contextlib.suppress(OSError):
                if len(self._clients) > MAX_CLIENTS:
                    await self._refuse(client)
                else:
                    await self._converse(client)
        finally:
            client.connection.close()

    async def _refuse(self, client: _Client) -> None:
        # The request is taken first: its sender would see only a broken connection if we closed before.
        with contextlib.suppress(WireError):
            await self._line(client, REFUSAL_SECONDS, REFUSAL_SECONDS)
        await self._send(
            client, encode_error("busy", f"{MAX_CLIENTS} clients are connected already", "try again later")
        )

    async def _converse(self, client: _Client) -> None:
        while not self._closing:
            try:
                line = await self._line(client, None, REQUEST_SECONDS)
            except WireError as error:
                await self._send(client, encode_error(error.kind, error.message, error.hint))
                continue
            if line is None:
                return
            client.answering = True
            await self._send(client, await self._respond(line))
            client.answering = False
            # Data that is there already is received without a pause: let the others have their turn.
            await asyncio.sleep(0)

    async def _line(self, client: _Client, first_s: float | None, whole_s: float) -> bytes | None:
        """The next request without its newline; None when the client has left, or has not finished in time.

        `first_s` bounds the wait for its first byte, `whole_s` the rest. Raises WireError for one that is too long.
        """
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(whole_s if client.skipping else first_s) as limit:
                if client.skipping and not await self._skip(client):
                    return None
                seen = 0
                limit.reschedule(None if first_s is None else loop.time() + first_s)
                while (end := client.pending.find(b"\n", seen)) < 0:
                    if not seen and client.pending:
                        limit.reschedule(loop.time() + whole_s)
                    seen = len(client.pending)
                    self._check_size(client)
                    received = await loop.sock_recv(client.connection, RECEIVE_BYTES)
                    if not received:
                        return None
                    client.pending += received
                line = bytes(client.pending[:end])
                del client.pending[: end + 1]
                if len(line) >= MAX_REQUEST_BYTES:
                    raise _too_long()
                return line
        return None

    def _check_size(self, client: _Client) -> None:
        """Raises WireError when no more of this request is to be kept."""
        if len(client.pending) <= RECEIVE_BYTES:
            return
        held = sum(len(other.pending) for other in self._clients.values() if len(other.pending) > RECEIVE_BYTES)
        if len(client.pending) >= MAX_REQUEST_BYTES or held > HELD_BYTES:
            too_long = len(client.pending) >= MAX_REQUEST_BYTES
            client.pending = bytearray()
            client.skipping = True
            raise _too_long() if too_long else WireError("busy", "too many long requests at once", "try again later")

    async def _skip(self, client: _Client) -> bool:
        """Throws away the rest of a request, to its newline; False when the client leaves or does not come to an end.

        Closing at once would break the connection before the client could read why.
        """
        skipped = 0
        while skipped < SKIPPED_BYTES:
            received = await asyncio.get_running_loop().sock_recv(client.connection, RECEIVE_BYTES)
            if not received:
                return False
            _, newline, rest = received.partition(b"\n")
            if newline:
                client.pending += rest
                client.skipping = False
                return True
            skipped += len(received)
            await asyncio.sleep(0)
        return False

    async def _respond(self, line: bytes) -> bytes:
        try:
            call, args = decode_request(line)
            return encode_answer(await self._answer(call, args))
        except WireError as error:
            return encode_error(error.kind, error.message, error.hint)

    async def _send(self, client: _Client, line: bytes) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._unread[task] = len(line)
        while sum(self._unread.values()) > UNREAD_BYTES and (oldest := next(iter(self._unread))) is not task:
            del self._unread[oldest]
            oldest.cancel()
        try:
            async with asyncio.timeout(UNREAD_SECONDS):
                await asyncio.get_running_loop().sock_sendall(client.connection, line)
        finally:
            self._unread.pop(task, None)


def _too_long() -> WireError:
    return WireError("bad_request", f"a request has at most {MAX_REQUEST_BYTES} bytes")
