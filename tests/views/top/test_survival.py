"""Nothing that a terminal, a person, a host or its processes do raises: every key on every page at every size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest
from textual.binding import Binding, BindingType

from neurontools.views.top.app import EVERY, PAGES, TopApp
from neurontools.views.top.plain import to_ascii, wants_ascii
from neurontools.views.top.screens.page import About, PageScreen
from tests.views.top.crafted import CraftedHost
from tests.views.top.hosts import Host
from tests.views.top.piloting import page, run, running

SIZES = ((1, 1), (400, 120), (1, 120), (400, 1), (2, 3), (20, 5), (60, 8), (80, 24), (107, 33), (3, 2), (200, 50))
NOT_PRESSED = frozenset({"q", "Q", "ctrl+c", "f8", "ctrl+s", "ctrl+p"})
"""What ends it or writes files; each has a test of its own."""

KINDS: dict[str, Callable[[], Host | CraftedHost]] = {
    "busy": lambda: Host("opt-30b", "trn2.48xlarge"),
    "small": lambda: Host("idle", "inf2.xlarge"),
    "many": lambda: CraftedHost("trn2.48xlarge", 200),
    "none": lambda: CraftedHost("inf1.24xlarge", 0),
    "unknown": lambda: CraftedHost("trn1.32xlarge", known=False),
}


def keys_of(*bindings: Sequence[BindingType]) -> Iterator[str]:
    for binding in itertools.chain(*bindings):
        if isinstance(binding, Binding):
            yield from (key for key in binding.key.split(",") if key not in NOT_PRESSED)


def check(app: TopApp) -> None:
    """Everything that is shown is inside the terminal, and as wide as its place."""
    screen = app.screen
    panels = [panel for panel in screen.query("Panel") if panel.display]
    assert all(screen.region.contains_region(panel.region) for panel in panels)
    if isinstance(screen, PageScreen):
        assert screen._panels["title"].shown


async def press_all(kind: str, about: About, sizes: Sequence[tuple[int, int]], stride: int, start: int = 0) -> None:
    """The page's keys, each at another size; every `stride`th of them."""
    every = itertools.cycle(sizes)
    page_class = next(each for each in PAGES if each.ABOUT is about)
    keys = [*keys_of(page_class.BINDINGS, TopApp.BINDINGS)][start::stride]
    async with running(KINDS[kind](), sizes[0]) as (app, pilot):
        app.reader.remember()
        app.session.take(app.reader.read())
        for key in keys:
            await pilot.resize_terminal(*next(every))
            if app.screen.is_modal or app.page.ABOUT is not about:
                await pilot.press("escape", about.key)
            await pilot.press(key)
            check(app)
        for _ in range(3):
            app.session.take(app.reader.read())
            app.page.update()
            check(app)


def test_some_keys_of_every_page_raise_nothing_at_some_size() -> None:
    async def test() -> None:
        async with running(KINDS["busy"](), SIZES[0]) as (app, pilot):
            for place, page_class in enumerate(PAGES[1:], 1):
                keys = [*keys_of(page_class.BINDINGS, TopApp.BINDINGS)]
                await pilot.resize_terminal(*SIZES[place])
                await pilot.press("escape", page_class.ABOUT.key, keys[place * 5])
                check(app)

    run(test)
    assert len([*keys_of(TopApp.BINDINGS)]) > 20


@pytest.mark.slow
@pytest.mark.parametrize("about", EVERY)
@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_page_raises_nothing(kind: str, about: About) -> None:
    turn = EVERY.index(about) * 2 + [*KINDS].index(kind)
    stride = 1 if kind == "busy" else 4

    async def test() -> None:
        await press_all(kind, about, (*SIZES[turn % 11 :], *SIZES[: turn % 11]), stride, turn % stride)

    run(test)
    assert about.key


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
