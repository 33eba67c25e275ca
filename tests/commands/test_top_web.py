"""neuron-top in a real browser: what it shows there, that its keys work, and who can reach it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.views.top.theme import THEMES
from tests.commands import browser
from tests.device_model.daemons import short_directory, surroundings

PATIENCE_S = 90.0
BIN = Path(sys.executable).parent
MARK = THEMES[0].variables["top-mark-background"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def address() -> Iterator[str]:
    """Where a simulated host's neuron-top is served."""
    port = free_port()
    with short_directory() as directory:
        top = [str(BIN / "neuron-top"), "--web", "--port", str(port)]
        command = [str(BIN / "neuron-model"), "run", "--scenario", "two-tenants", "--", *top]
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        with subprocess.Popen(command, env=surroundings(directory), **options) as process:  # type: ignore[call-overload]
            try:
                yield f"http://127.0.0.1:{port}/"
            finally:
                os.killpg(process.pid, signal.SIGINT)
                process.wait(PATIENCE_S)


def page_of(address: str) -> str:
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            assert time.monotonic() < end, "it is not served"
            time.sleep(0.2)


@pytest.mark.slow
def test_it_is_there_for_this_machine_only_and_loads_nothing_from_elsewhere(address: str) -> None:
    page = page_of(address)
    assert "neuron-top" in page
    assert "googleapis" not in page
    port = address.rstrip("/").rsplit(":", 1)[1]
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    bound = {fields[1] for fields in listening if fields[3] == "0A" and fields[1].endswith(f":{int(port):04X}")}
    assert bound == {f"0100007F:{int(port):04X}"}


@pytest.mark.slow
def test_a_browser_shows_it_and_its_keys_work(address: str) -> None:
    if browser.chromium() is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    page_of(address)
    mark = tuple(int(MARK[place : place + 2], 16) for place in (1, 3, 5))

    async def test() -> None:
        async with browser.opened(address) as tab:
            async with asyncio.timeout(PATIENCE_S):
                while not await tab.evaluate("document.body.classList.contains('-first-byte')"):
                    await asyncio.sleep(0.2)
                while mark not in await tab.colours(0, 30):
                    await asyncio.sleep(0.3)
                tabs = await tab.colours(0, 60)
                assert len(tabs) > 10
                await tab.evaluate("document.querySelector('textarea').focus()")
                await tab.press("q")
                while not await tab.evaluate("document.body.classList.contains('-closed')"):
                    await asyncio.sleep(0.2)

    asyncio.run(test())
