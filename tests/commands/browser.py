"""A real headless Chromium for tests, driven through its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 90.0

Colour = tuple[int, int, int]


def chromium() -> str | None:
    """The browser's program, where it is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A call of the debugging protocol, and its result."""
        number = next(self._numbers)
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": parameters}))
        async with asyncio.timeout(PATIENCE_S):
            while (answer := json.loads(await self._socket.receive_str())).get("id") != number:
                pass
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression of the page's own language."""
        return (await self.call("Runtime.evaluate", expression=expression))["result"].get("value")

    async def press(self, letter: str) -> None:
        """A key, pressed and let go."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=letter, text=letter if kind == "keyDown" else "")

    async def colours(self, top: int, height: int, width: int = 1000) -> set[Colour]:
        """The colours in a strip of the page."""
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = await self.call("Page.captureScreenshot", format="png", clip=clip)
        return colours_of(base64.b64decode(shot["data"]))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Tab]:
    """The browser with a page."""
    program = chromium()
    assert program is not None
    # What Chromium has started may still write there when it has ended itself.
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as directory:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,700", "--remote-debugging-port=0"]
        command = [program, *options, f"--user-data-dir={directory}", url]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as process:
            try:
                port = await _port(Path(directory, "DevToolsActivePort"))
                async with aiohttp.ClientSession() as session:
                    socket = await _page_socket(session, port)
                    async with session.ws_connect(socket, max_msg_size=0) as connected:
                        yield Tab(connected)
            finally:
                process.terminate()
                process.wait(PATIENCE_S)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


async def _port(file: Path) -> int:
    async with asyncio.timeout(PATIENCE_S):
        while not (file.exists() and file.read_text()):
            await asyncio.sleep(0.1)
    return int(file.read_text().split()[0])


async def _page_socket(session: aiohttp.ClientSession, port: int) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
            await asyncio.sleep(0.1)


def colours_of(png: bytes) -> set[Colour]:
    """The colours of a picture of 8 bits a channel, without or with transparency."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    size = 4 if kind == 6 else 3
    data, place = b"", 8
    while place < len(png):
        length, name = struct.unpack(">I4s", png[place : place + 8])
        data += png[place + 8 : place + 8 + length] if name == b"IDAT" else b""
        place += 12 + length
    raw, row, found = zlib.decompress(data), bytes(width * size), set()
    for y in range(height):
        start = y * (width * size + 1)
        row = _unfiltered(raw[start], raw[start + 1 : start + 1 + width * size], row, size)
        found |= {(row[x], row[x + 1], row[x + 2]) for x in range(0, len(row), size)}
    return found


def _unfiltered(kind: int, line: bytes, above: bytes, size: int) -> bytes:
    """A line as the PNG specification has it restored from what its neighbours predict."""
    out = bytearray(line)
    for x, value in enumerate(line):
        left = out[x - size] if x >= size else 0
        up, corner = above[x], above[x - size] if x >= size else 0
        nearest = min((left, up, corner), key=lambda each: abs(left + up - corner - each))
        out[x] = (value + (0, left, up, (left + up) // 2, nearest)[kind]) & 0xFF
    return bytes(out)
