"""neuron-top in a terminal of Textual's own, for tests: started, looked at, waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot

from neurontools.schema.source import Source
from neurontools.views.top.app import TopApp
from neurontools.views.top.control import Control
from neurontools.views.top.reader import Reader, Watch
from neurontools.views.top.session import NO_CONTROL
from neurontools.views.top.settings import Keeper, Settings
from tests.views.top.hosts import VERSION, WAIT_S, Host

NEVER_S = 3600.0


@asynccontextmanager
async def running(
    host: Source,
    size: tuple[int, int] = (120, 40),
    refresh_s: float = NEVER_S,
    control: Control = NO_CONTROL,
    watch: Callable[[], Watch] | None = None,
    trouble: str = "",
) -> AsyncIterator[tuple[TopApp, Pilot[None]]]:
    reader = Reader(host, watch)
    app = TopApp(reader, reader.read(), VERSION, Keeper(Settings(refresh_s=refresh_s), trouble), control)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot
        if isinstance(host, Host):
            host.go_on.set()


def page(app: TopApp) -> list[str]:
    """What the screen shows, panel by panel."""
    panels = [panel for panel in app.page._panels.values() if panel.display]
    return ["".join(span.text for span in line.spans) for panel in panels for line in panel.shown]


def place_of(app: TopApp, word: str) -> tuple[int, int]:
    """Where on the screen a word begins."""
    for panel in app.page._panels.values():
        for y, line in enumerate(panel.shown if panel.display else ()):
            text = "".join(span.text for span in line.spans)
            if word in text:
                return panel.region.x + text.index(word), panel.region.y + y
    pytest.fail(f"{word} is nowhere")


async def until(true: Callable[[], bool]) -> None:
    for _ in range(int(WAIT_S / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never happened")


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())
