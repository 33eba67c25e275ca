"""Where in neuron-top a key can be pressed: its pages, what lies over them, and the states in which keys mean else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.pilot import Pilot

from neurontools.views.top.app import EVERY, PAGES, TopApp
from neurontools.views.top.screens.help import HelpScreen
from neurontools.views.top.screens.memory import MemoryScreen
from neurontools.views.top.screens.page import PageScreen
from neurontools.views.top.screens.processes import ProcessesScreen
from neurontools.views.top.screens.signal import SignalScreen
from neurontools.views.top.table import Order
from tests.views.top.crafted import CraftedHost
from tests.views.top.hosts import Host

ENDS = frozenset({"q", "Q", "ctrl+c"})
"""Keys that end the program on a page, and the last one everywhere."""

STRANGE = ("ctrl+z", "f12", "insert", "ü", "alt+x", "ctrl+underscore", "delete", "0")
"""Keys that mean nothing."""

KINDS: dict[str, Callable[[], Host | CraftedHost]] = {
    "busy": lambda: Host("opt-30b", "trn2.48xlarge"),
    "small": lambda: Host("idle", "inf2.xlarge"),
    "many": lambda: CraftedHost("trn2.48xlarge", 200),
    "none": lambda: CraftedHost("inf1.24xlarge", 0),
    "unknown": lambda: CraftedHost("trn1.32xlarge", known=False),
}
PEOPLED = ("busy", "many")
"""Hosts on which processes are known."""


def keys_of(bindings: Sequence[BindingType]) -> Iterator[str]:
    """The keys of some bindings."""
    for binding in bindings:
        if isinstance(binding, Binding):
            yield from binding.key.split(",")


EVERYWHERE = tuple(keys_of(TopApp.BINDINGS))


class Place(NamedTuple):
    """A place: the keys that lead there, its own keys, whether one is there, and the hosts that have it.

    `over` says that q is a letter there or closes it; `least` is the fewest columns and rows of a terminal that has it.
    """

    lead: tuple[str, ...]
    own: tuple[str, ...]
    is_there: Callable[[TopApp], bool]
    kinds: tuple[str, ...] = tuple(KINDS)
    over: bool = False
    least: int = 1

    @property
    def keys(self) -> tuple[str, ...]:
        """Everything that is pressed here."""
        every = dict.fromkeys((*self.own, *EVERYWHERE, *STRANGE))
        return tuple(key for key in every if key not in ({"ctrl+c"} if self.over else ENDS))


_OF_PAGE = {page.ABOUT.name: tuple(keys_of(page.BINDINGS)) for page in PAGES}


def _page(
    name: str,
    *,
    typing: bool = False,
    jumping: bool = False,
    paused: bool = False,
    opened: bool = False,
    tree: bool = False,
) -> Callable[[TopApp], bool]:
    """Whether that page is in front, in that state."""

    def is_there(app: TopApp) -> bool:
        page = app.screen
        if not isinstance(page, PageScreen) or page.ABOUT.name != name:
            return False
        as_tree = page.order.tree if isinstance(page, ProcessesScreen) else getattr(page, "as_tree", False)
        state = (page.typing, bool(page._jumps), app.session.playback.paused, getattr(page, "opened", False), as_tree)
        return state == (typing, jumping, paused, opened, tree)

    return is_there


def _modal(kind: type[object]) -> Callable[[TopApp], bool]:
    return lambda app: isinstance(app.screen, kind)


PLACES: dict[str, Place] = {
    **{about.name: Place((about.key,), _OF_PAGE[about.name], _page(about.name)) for about in EVERY},
    "one process": Place(("p", "enter"), _OF_PAGE["processes"], _page("processes", opened=True), PEOPLED),
    "processes as a tree": Place(("p", "v"), _OF_PAGE["processes"], _page("processes", tree=True)),
    "a filter": Place(
        ("p", "slash", "o"), ("a", "backspace", "enter", "escape"), _page("processes", typing=True), over=True
    ),
    "memory as a tree": Place(("m", "v"), _OF_PAGE["memory"], _page("memory", tree=True)),
    "standing still": Place(("h", "space"), _OF_PAGE["history"], _page("history", paused=True)),
    "a jump": Place(("o", "j"), ("a", "escape", "enter"), _page("overview", jumping=True), over=True, least=8),
    "help": Place(("t", "question_mark"), tuple(keys_of(HelpScreen.BINDINGS)), _modal(HelpScreen), over=True),
    "a signal": Place(("p", "k"), tuple(keys_of(SignalScreen.BINDINGS)), _modal(SignalScreen), PEOPLED, over=True),
    "a signal's question": Place(
        ("p", "k", "y"), tuple(keys_of(SignalScreen.BINDINGS)), _modal(SignalScreen), PEOPLED, over=True
    ),
    # Enter would do the first thing of its list, which has a test of its own.
    "the palette": Place(("o", "ctrl+p"), ("down", "up", "x", "escape"), _modal(CommandPalette), over=True),
}


def pairs(kind: str) -> list[tuple[str, str]]:
    """The places and keys whose turn it is on a host: each pair has it on one of the hosts, neighbours on others."""
    return [
        (name, key)
        for number, (name, place) in enumerate(PLACES.items())
        for key, whose in zip(
            place.keys, itertools.islice(itertools.cycle(place.kinds), number % len(place.kinds), None), strict=False
        )
        if whose == kind
    ]


async def go_to(app: TopApp, pilot: Pilot[None], place: Place) -> None:
    """To the place from wherever one is, the page's choices as they were at first."""
    while app.screen.is_modal:
        await pilot.press("escape")
    if app.page.typing or app.page._jumps:
        await pilot.press("escape")
    app.session.playback.resume()
    for page in app.pages.values():
        if isinstance(page, ProcessesScreen):
            page.order, page.opened = Order(), False
        elif isinstance(page, MemoryScreen):
            page.as_tree = False
    await pilot.press(*place.lead)
