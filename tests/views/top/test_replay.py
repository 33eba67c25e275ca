"""A recording on the same pages by the same keys: stepped, sought, faster, and standing still at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.recording import Frame, Writer, create
from neurontools.sources.replay import ReplaySource, open_replay
from tests.views.top.hosts import NS, Host
from tests.views.top.piloting import page, run, running, until

pytestmark = pytest.mark.slow

READINGS, STEP_S = 90, 5


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some minutes of a host in which a memory error happens two thirds through."""
    path = tmp_path_factory.mktemp("replay") / "host.nrec"
    host = Host("two-tenants", step_s=STEP_S)
    descriptor = create(str(path))
    writer = Writer(descriptor)
    seen = 0
    for place in range(READINGS):
        if place == READINGS * 2 // 3:
            host.simulation.inject("hbm-uncorrected", {"core": 3}, {})
        snapshot, events = host.snapshot(), host.events(seen)
        seen = max((event.seq for event in events.events), default=seen)
        writer.write(Frame(snapshot, host.inventory(), events))
    writer.end_block()
    os.close(descriptor)
    return path


@pytest.fixture
def source(recorded: Path) -> Iterator[ReplaySource]:
    opened = open_replay(str(recorded), {})
    yield opened
    opened.close()


def test_it_is_stepped_and_sought_by_the_same_keys(source: ReplaySource) -> None:
    first_ns, last_ns = source.playback.span_ns

    async def test() -> None:
        async with running(source, (140, 50), refresh_s=0.1) as (app, pilot):
            await pilot.press("h")
            assert any("REPLAY" in line for line in page(app))
            assert any("recording of 7m25s" in line for line in page(app))
            for key, speed in ((">", 2.0), (">", 4.0), ("<", 2.0), ("<", 1.0), ("<", 0.5), ("<", 0.25), ("<", 0.25)):
                await pilot.press(key)
                assert app.session.playback.speed == speed
            await pilot.press("space", "]", "]", "]")
            position_ns = app.session.playback.position_ns
            assert position_ns >= first_ns + 180 * NS
            await until(lambda: abs(app.session.now_ns - position_ns) <= STEP_S * NS)
            await pilot.press("left", "left")
            await until(lambda: app.session.now_ns <= position_ns - STEP_S * NS)
            await until(lambda: len(app.session.history.rows.times) > 20)
            app.action_seek(last_ns)
            await until(lambda: app.session.now_ns == last_ns)
            assert any("HBM" in event.text for event in app.session.events())

    run(test)


def test_one_goes_on_to_what_will_happen(source: ReplaySource) -> None:
    async def test() -> None:
        async with running(source, (140, 50), refresh_s=0.1) as (app, pilot):
            await pilot.press("e", "space", "full_stop")
            await until(lambda: any("HBM" in line for line in page(app)))
            happened = next(event.time_ns for event in app.session.events() if "HBM" in event.text)
            assert happened <= app.session.now_ns <= happened + STEP_S * NS

    run(test)


def test_at_its_end_it_stands_still(source: ReplaySource) -> None:
    async def test() -> None:
        async with running(source, refresh_s=0.1) as (app, _):
            playback = app.session.playback
            playback.seek(playback.span_ns[1])
            playback.set_speed(16.0)
            await until(lambda: playback.paused)
            await until(lambda: not app.session.trouble)
            assert app.session.now_ns == playback.span_ns[1]

    run(test)
