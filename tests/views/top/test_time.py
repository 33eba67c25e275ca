"""Space stands still, arrows go back: what the pages show is of that instant while the host goes on."""

from __future__ import annotations

import re

import pytest

from neurontools.diagnosis import Doctor
from neurontools.views.top.app import EVERY, TopApp
from neurontools.views.top.reader import Reader, Watch
from neurontools.views.top.screens.history import HistoryScreen
from tests.views.top.hosts import NS, Host
from tests.views.top.piloting import page, run, running


def doctor() -> Watch:
    watch = Doctor()
    return lambda inventory, snapshot, events: watch.see(inventory, snapshot, events)


def read(app: TopApp, reader: Reader, count: int) -> None:
    for _ in range(count):
        app.session.take(reader.read())
    app.page.update()


def test_space_and_arrows_go_back_while_the_host_goes_on() -> None:
    async def test() -> None:
        host = Host("opt-30b", step_s=1)
        async with running(host) as (app, pilot):
            reader = app.reader
            reader.remember()
            read(app, reader, 5)
            newest = app.session.now_ns
            await pilot.press("space", "left", "left")
            assert app.session.now_ns == newest - 2 * NS
            assert any(re.search(r"⏸ \d\d:\d\d:\d\d −2s", line) for line in page(app))
            shown = app.session.interval
            read(app, reader, 3)
            assert app.session.interval == shown
            await pilot.press("p")
            assert any("−5s" in line for line in page(app))
            await pilot.press("h", "right", "space")
            assert app.session.now_ns == newest + 3 * NS
            assert not any("⏸" in line for line in page(app))

    run(test)


@pytest.mark.slow
def test_every_page_that_stands_still_says_how_it_goes_on() -> None:
    async def test() -> None:
        async with running(Host("opt-30b", step_s=1)) as (app, pilot):
            app.reader.remember()
            read(app, app.reader, 3)
            await pilot.press("space")
            for about in EVERY:
                await pilot.press(about.key)
                assert any("space: go on" in line for line in page(app)), about

    run(test)


def test_the_arrows_are_the_trees_while_time_goes_on() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press("left")
            assert app.main.view.opened == frozenset()
            assert not app.session.playback.paused

    run(test)


@pytest.mark.slow
def test_charts_of_the_node_and_of_a_device_over_any_span() -> None:
    async def test() -> None:
        async with running(Host("opt-30b", step_s=1), (200, 50)) as (app, pilot):
            app.reader.remember()
            read(app, app.reader, 3)
            await pilot.press("h")
            text = "\n".join(page(app))
            assert "Utilization" in text
            assert "Slowest latency" in text
            for span in ("15m", "1h", "1m", "5m"):
                await pilot.press("w")
                assert any(line.rstrip().endswith(span) for line in page(app))
            await pilot.press("d")
            assert any("Utilization of device 0" in line for line in page(app))
            assert isinstance(app.page, HistoryScreen)
            await pilot.press("a", "a")
            assert any("Utilization of device 11" in line for line in page(app))

    run(test)


@pytest.mark.slow
def test_the_badge_turns_on_every_page_and_one_can_go_back_to_before_it() -> None:
    async def test() -> None:
        host = Host("two-tenants", "trn2.48xlarge", step_s=5)
        async with running(host, (160, 50), watch=doctor) as (app, pilot):
            reader = app.reader
            reader.remember()
            read(app, reader, 3)
            assert any("✓ nothing found" in line for line in page(app))
            host.simulation.inject("hbm-uncorrected", {"core": 12}, {})
            read(app, reader, 3)
            for key in ("o", "h", "p", "e"):
                await pilot.press(key)
                assert any("✖ replace: ecc-uncorrected" in line for line in page(app)), key
            assert any("device 3: 1 uncorrected memory error" in line for line in page(app))
            assert any("NRT" in line or "kernel log" in line for line in page(app))
            await pilot.press("comma", "left", "left")
            assert any("✓ nothing found" in line for line in page(app))

    run(test)


def test_comma_and_full_stop_go_from_one_thing_that_happened_to_the_next() -> None:
    async def test() -> None:
        host = Host("two-tenants", "trn2.48xlarge", step_s=5)
        async with running(host, (160, 50)) as (app, pilot):
            app.reader.remember()
            happened = []
            for core in (12, 20):
                read(app, app.reader, 3)
                # Between two readings.
                host.simulation.advance(host.simulation.now_ns + 2 * NS)
                happened.append(host.simulation.now_ns)
                host.simulation.inject("hbm-uncorrected", {"core": core}, {})
            read(app, app.reader, 3)
            await pilot.press("space", *["left"] * 12)
            for key, place in (("full_stop", 0), ("full_stop", 1)):
                await pilot.press(key)
                assert happened[place] <= app.session.now_ns < happened[place] + 7 * NS
            for place in (1, 0):
                await pilot.press("comma")
                assert happened[place] - 7 * NS < app.session.now_ns < happened[place]

    run(test)


@pytest.mark.slow
def test_health_says_what_cannot_be_told() -> None:
    async def test() -> None:
        async with running(Host(step_s=5), (100, 40), watch=doctor) as (app, pilot):
            await pilot.press("e")
            assert any("nobody has looked yet" in line for line in page(app))
            app.reader.remember()
            read(app, app.reader, 2)
            await pilot.press("n", "down", "l")
            assert any("What cannot be told" in line for line in page(app))
            assert any(line.strip("│ ").startswith("driver-mismatch") for line in page(app))

    run(test)
