"""The page of processes, by its keys: sort, filter, one process in full, and a signal only after a yes."""

from __future__ import annotations

import pytest

from neurontools.views.top.control import Control, Refused
from neurontools.views.top.screens.processes import ProcessesScreen
from tests.views.top.hosts import Host
from tests.views.top.piloting import page, place_of, run, running, until


def test_sorting_filtering_and_one_process_in_full() -> None:
    async def test() -> None:
        async with running(Host(), (160, 40)) as (app, pilot):
            await pilot.press("p")
            screen = app.page
            assert isinstance(screen, ProcessesScreen)
            await pilot.press("s")
            assert screen.order.column == "DEV MEM"
            assert [pid for pid, _ in screen._keys()] == [4157, 4096]
            await pilot.press("r")
            assert [pid for pid, _ in screen._keys()] == [4096, 4157]
            await pilot.press("slash", *"bo", "b", "enter")
            assert [pid for pid, _ in screen._keys()] == [4096]
            assert any("(1 of 2)  filter bob" in line for line in page(app))
            await pilot.press("escape", "home", "enter")
            assert any(line.strip("│ ").startswith("Process 4096") or "Process 4096" in line for line in page(app))
            assert any("Models and sub-graphs" in line for line in page(app))
            await pilot.press("escape", "v")
            assert any("bob" in line and "1 process" in line for line in page(app))

    run(test)


@pytest.mark.slow
def test_letters_of_a_filter_are_no_commands() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press("p", "slash", *"ohm", "k")
            assert isinstance(app.page, ProcessesScreen)
            assert app.page.order.words == "ohmk"
            await pilot.press("backspace", "escape")
            assert app.page.order.words == ""

    run(test)


@pytest.mark.parametrize("refused", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_signal_is_sent_only_after_a_yes(refused: bool) -> None:
    sent: list[tuple[int, int]] = []

    def send(pid: int, started_ns: int, number: int) -> None:
        if refused:
            raise Refused("it has gone")
        sent.append((pid, number))

    async def test() -> None:
        async with running(Host(), control=Control(send)) as (app, pilot):
            await pilot.press("p", "k", "down", "enter", "enter", "enter", "n")
            assert isinstance(app.screen, ProcessesScreen)
            assert sent == []
            await pilot.press("k", "y", "down", "y", "y")
            dialog = app.screen
            await until(lambda: "sending" not in dialog._outcome)  # type: ignore[attr-defined]
            assert dialog._outcome == ("not sent: it has gone" if refused else "sent")  # type: ignore[attr-defined]
            assert sent == ([] if refused else [(4096, 2)])
            await pilot.press("escape")
            assert isinstance(app.screen, ProcessesScreen)

    run(test)


def test_where_no_signal_may_be_sent_it_says_why() -> None:
    async def test() -> None:
        async with running(Host(), control=Control(None, "because I say so")) as (app, pilot):
            await pilot.press("p", "k")
            assert [note.message for note in app._notifications] == ["because I say so"]

    run(test)


@pytest.mark.slow
def test_a_click_sorts_selects_and_opens() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.click(offset=place_of(app, "Processes"))
            screen = app.page
            assert isinstance(screen, ProcessesScreen)
            await pilot.click(offset=(4, 3))
            assert screen.order.column == "PID"
            await pilot.click(offset=(6, 4))
            assert screen.selected == screen._keys()[0]
            assert not screen.opened
            await pilot.click(offset=(6, 4))
            assert screen.opened

    run(test)
