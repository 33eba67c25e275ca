"""neuron-top in a terminal of Textual's own: every key, every size, the loss and the return of its source."""

from __future__ import annotations

import re

import pytest

from neurontools.views.top import app as app_module
from neurontools.views.top.app import TopApp
from neurontools.views.top.reader import Reading
from tests.views.top.hosts import NS, Host
from tests.views.top.piloting import page, run, running, until

SVG_DEFAULT = "c5c8c6"
"""What the exporter gives to text without a style: line ends."""


def row(app: TopApp, start: str) -> str:
    return next(line for line in page(app) if line.strip("│ ").startswith(start))


def selected(app: TopApp) -> str:
    """The label of the selected row of the tree."""
    lines = [line for line in app.main._panels["details"].shown if line.ground == "selected"]
    assert len(lines) == 1
    return re.sub(r"^[│ ]*(\[[-+]\])? *", "", "".join(span.text for span in lines[0].spans)).split("  ")[0]


def test_f_goes_through_the_measures() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            for word in ("TFLOPS (Total:", "Engines (Tensor avg:", "Memory, GiB (Total:", "Utilization (Avg:"):
                await pilot.press("f")
                assert any(word in line for line in page(app))

    run(test)


def test_tabs_by_letter_and_by_number() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            for key, expected in (("d", "[2]:4096"), ("d", "[3]:4157"), ("d", "[1]:all"), ("a", "[3]:4157")):
                await pilot.press(key)
                assert f">{expected}<" in row(app, "Neuron Apps")
            for key, expected in (("2", "[2]:4096"), ("9", "[2]:4096"), ("1", "[1]:all")):
                await pilot.press(key)
                assert f">{expected}<" in row(app, "Neuron Apps")

    run(test)


def test_arrows_and_enter_walk_the_tree_and_the_device_is_marked() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            steps = (
                *(("down", "NC 0"), ("right", "NC 0"), ("right", "Llama-2-13b.neff"), ("left", "NC 0")),
                *(("enter", "NC 0"), ("left", "ND 0"), ("left", "ND 0"), ("down", "ND 1"), ("enter", "ND 1")),
                *(("down", "NC 0"), ("end", "ND 11"), ("home", "ND 0"), ("up", "ND 0"), ("pagedown", "ND 7")),
            )
            for key, expected in steps:
                await pilot.press(key)
                assert selected(app) == expected, key
            marked = [line for line in app.main._panels["cores"].shown if line.ground == "selected"]
            assert ["".join(span.text for span in line.spans)[2:5] for line in marked] == ["ND7"]

    run(test)


def test_x_opens_and_closes_the_whole_tree() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            rows = []
            for _ in range(3):
                await pilot.press("x")
                assert app.main.shown is not None
                rows.append(len(app.main.shown.tree.nodes))
            assert rows == [rows[0], 12, rows[0]]
            assert rows[0] > 150

    run(test)


@pytest.mark.parametrize("key", ["q", "Q", "ctrl+c", "ctrl+q"])
def test_quitting(key: str) -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press(key)
            assert not app.is_running or app._exit

    run(test)


def test_the_wheel_scrolls_without_moving_the_selection() -> None:
    async def test() -> None:
        async with running(Host(), (80, 24)) as (app, pilot):
            details = app.main._panels["details"]
            before = details.shown
            details.on_mouse_scroll_down()
            assert details.first == 3
            assert details.shown != before
            details.on_mouse_scroll_up()
            details.on_mouse_scroll_up()
            assert (details.first, details.shown) == (0, before)
            await pilot.pause()

    run(test)


def test_a_lost_source_leaves_dim_values_and_comes_back_as_another_host() -> None:
    async def test() -> None:
        host = Host(step_s=1)
        async with running(host, refresh_s=0.05) as (app, pilot):
            host.failure = "nobody listens there any more"
            await until(lambda: app.session.stale)
            assert "source lost: nobody listens there any more, retrying" in " ".join(page(app))
            assert any("24 cores on 12 devices" in line for line in page(app))
            assert app.main._panels["cores"].stale
            await pilot.press("d")
            assert ">[2]:4096<" in row(app, "Neuron Apps")
            host.become("idle", "trn2.48xlarge")
            host.failure = ""
            await until(lambda: not app.session.stale)
            assert any("64 cores on 16 devices" in line for line in page(app))
            assert "(trn2.48xlarge)" in row(app, "neuron-top")
            assert ">[1]:all<" in row(app, "Neuron Apps")
            assert "source lost" not in " ".join(page(app))

    run(test)


@pytest.mark.slow
def test_keys_work_while_the_source_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "_LEAST_SILENCE_S", 0.05)

    async def test() -> None:
        host = Host(step_s=1)
        async with running(host, refresh_s=0.05) as (app, pilot):
            host.go_on.clear()
            await until(lambda: app.session.stale)
            assert "source silent for" in " ".join(page(app))
            await pilot.press("f")
            assert any("TFLOPS" in line for line in page(app))
            host.go_on.set()
            await until(lambda: not app.session.stale)

    run(test)


def test_readings_follow_each_other_and_never_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        periods: list[int] = []
        async with running(Host(step_s=1), refresh_s=0.05) as (app, _):
            receive = app.session.take

            def note(reading: Reading) -> None:
                periods.append(reading.interval.duration_ns if reading.interval is not None else 0)
                receive(reading)

            monkeypatch.setattr(app.session, "take", note)
            await until(lambda: len(periods) > 3)
        assert set(periods) == {NS}

    run(test)


def test_without_colour_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def test() -> None:
        async with running(Host()) as (app, _):
            picture = app.export_screenshot()
            colours = set(re.findall(r"-r\d+ { fill: #([0-9a-f]{6})", picture)) - {SVG_DEFAULT}
            assert colours
            assert {colour for colour in colours if len(set(re.findall("..", colour))) > 1} == set()

    run(test)
