"""Nothing that a terminal, a person, a host or its processes do raises: every key on every page at every size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from neurontools.views.top.app import EVERY, PAGES, TopApp
from neurontools.views.top.control import Control
from neurontools.views.top.plain import to_ascii, wants_ascii
from neurontools.views.top.screens.page import About, PageScreen
from tests.views.top.crafted import CraftedHost
from tests.views.top.hosts import Host
from tests.views.top.piloting import page, run, running
from tests.views.top.places import KINDS, PLACES, go_to, keys_of, pairs

SIZES = ((1, 1), (400, 120), (1, 120), (400, 1), (2, 3), (20, 5), (60, 8), (80, 24), (107, 33), (3, 2), (200, 50))
KEYS_A_SIZE = 8


def send(pid: int, started_ns: int, number: int) -> None:
    """Takes a signal's place."""


def check(app: TopApp) -> None:
    """Everything that is shown is inside the terminal, and as wide as its place."""
    screen = app.screen
    panels = [panel for panel in screen.query("Panel") if panel.display]
    assert all(screen.region.contains_region(panel.region) for panel in panels)
    if isinstance(screen, PageScreen):
        assert screen._panels["title"].shown


async def press(kind: str, every: Sequence[tuple[str, str]], sizes: Sequence[tuple[int, int]]) -> None:
    """The keys, each at its place; after a few of them the terminal has another size."""
    turns = itertools.cycle(sizes)
    async with running(KINDS[kind](), sizes[0], control=Control(send)) as (app, pilot):
        app.reader.remember()
        app.session.take(app.reader.read())
        at = ""
        for count, (name, key) in enumerate(every):
            place = PLACES[name]
            if count % KEYS_A_SIZE == 0 or at != name:
                width, height = next(turns)
                await pilot.resize_terminal(max(place.least, width), max(place.least, height))
            if at != name or not place.is_there(app):
                await go_to(app, pilot, place)
                at = name
            assert place.is_there(app), f"{place.lead} lead to {app.screen}, not to {name}, at {app.size}"
            await pilot.press(key)
            assert app._exception is None, f"{key} on {name} of {kind}: {app._exception!r}"
            check(app)
        await go_to(app, pilot, PLACES["overview"])
        for _ in range(3):
            app.session.take(app.reader.read())
            app.page.update()
            check(app)


def test_some_keys_of_every_place_raise_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    some = pairs("busy")[::32]
    run(lambda: press("busy", some, SIZES[5:9]))
    assert len({name for name, _ in some}) > len(PLACES) // 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_place_raises_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    turn = 2 * [*KINDS].index(kind)
    run(lambda: press(kind, pairs(kind), (*SIZES[turn:], *SIZES[:turn])))
    assert pairs(kind)


def test_every_key_has_its_turn_at_every_place() -> None:
    turns = [(*pair, kind) for kind in KINDS for pair in pairs(kind)]
    assert len({(name, key) for name, key, _ in turns}) == len(turns)
    assert {(name, key) for name, place in PLACES.items() for key in place.keys} == {turn[:2] for turn in turns}
    for name, place in PLACES.items():
        assert {kind for at, _, kind in turns if at == name} == set(place.kinds)
    assert {about.name for about in EVERY} <= PLACES.keys()
    assert {key for page in PAGES for key in keys_of(page.BINDINGS)} <= {key for _, key, _ in turns}


@pytest.mark.slow
@pytest.mark.parametrize("about", EVERY)
def test_on_every_page_a_source_is_lost_and_comes_back_as_another_host(about: About) -> None:
    async def test() -> None:
        host = Host("opt-30b", "trn2.48xlarge", step_s=1)
        async with running(host, (120, 40)) as (app, pilot):
            await pilot.press(about.key, "down", "d")
            host.failure = "nobody listens there any more"
            app.session.take(app.reader.read())
            app.page.update()
            assert any("source lost: nobody listens there any more, retrying" in line for line in page(app))
            host.become("idle", "inf2.xlarge")
            host.failure = ""
            for _ in range(2):
                app.session.take(app.reader.read())
                app.page.update()
                check(app)
            assert any("(inf2.xlarge)" in line for line in page(app))
            await pilot.press("up", "d", "space", "left")
            check(app)

    run(test)


def test_commands_that_would_move_the_cursor_are_shown_as_text() -> None:
    async def test() -> None:
        async with running(CraftedHost("trn2.48xlarge", 8), (200, 50)) as (app, pilot):
            app.session.take(app.reader.read())
            await pilot.press("p")
            lines = page(app)
            assert any("模型服务器" in line for line in lines)
            await pilot.press("e")
            lines += page(app)
            assert any("日本語" in line for line in lines)
            assert all(line.isprintable() for line in lines)

    run(test)


@pytest.mark.slow
def test_in_ascii_every_page_has_the_same_columns() -> None:
    async def test() -> None:
        async with running(Host("opt-30b"), (120, 40)) as (app, pilot):
            app.ascii = True
            for key in "oh":
                await pilot.press(key)
                for panel in app.page._panels.values():
                    if panel.display:
                        strips = [panel.render_line(y) for y in range(panel.size.height)]
                        assert {strip.cell_length for strip in strips} == {panel.size.width}
            await pilot.resize_terminal(119, 39)
            text = "".join(segment.text for strip in app.page._panels["title"]._strips.values() for segment in strip)
            assert text.isascii()

    run(test)
    for about in EVERY:
        assert to_ascii(about.title).isascii()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "C.utf8"}, False),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, True),
        ({"LC_CTYPE": "de_DE.ISO-8859-1"}, True),
    ],
)
def test_ascii_is_for_locales_that_say_so(environ: dict[str, str], expected: bool) -> None:
    assert wants_ascii(environ) is expected
