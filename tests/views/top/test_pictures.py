"""What every page and dialog looks like, in every theme and at common sizes, at a fixed instant of a fixed scenario.

A golden picture has the first theme, a golden text beside it what the others have in place of its colours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pytest
from textual.pilot import Pilot

from neurontools.views.top.app import EVERY, TopApp
from neurontools.views.top.control import Control
from neurontools.views.top.theme import THEMES
from tests.conftest import Golden
from tests.views.top.hosts import Host
from tests.views.top.paint import Paint, in_all_themes, paint
from tests.views.top.piloting import run, running
from tests.views.top.test_time import doctor, read

SIZES = ((80, 24), (120, 40), (200, 50))
READINGS = 12
NAMES = tuple(each.name for each in THEMES)


def nobody(pid: int, started_ns: int, number: int) -> None:
    """Takes a signal's place."""


class Scene(NamedTuple):
    """Keys that lead to what is shown; `lost` says that the host then stops to answer."""

    keys: Sequence[str]
    lost: bool = False


PAGES = {about.name: Scene((about.key, "down", "enter")) for about in EVERY}
DIALOGS = {
    "help": Scene(("p", "question_mark")),
    "signal": Scene(("p", "k", "down")),
    "jump": Scene(("o", "j")),
    "processes-tree": Scene(("p", "v", "down")),
    "processes-filter": Scene(("p", "slash", *"30b-1")),
    "memory-tree": Scene(("m", "v", "down", "right")),
    "back-in-time": Scene(("o", "space", "left", "left")),
    "source-lost": Scene(("h",), lost=True),
}


async def look(scene: Scene, size: tuple[int, int], see: Callable[[TopApp, Pilot[None]], object]) -> None:
    """Shows the scene after some readings, and lets somebody see it."""
    host = Host("opt-30b", "trn2.48xlarge", step_s=1)
    async with running(host, size, control=Control(nobody), watch=doctor) as (app, pilot):
        app.reader.remember()
        read(app, app.reader, READINGS)
        await pilot.press(*scene.keys)
        if app.page.bank_map_of is not None:
            app.session.take(app.reader.read(bank_map_of=app.page.bank_map_of))
            app.page.update()
        if scene.lost:
            host.failure = "nobody listens there any more"
            read(app, app.reader, 1)
        await pilot.pause()
        see(app, pilot)
        for name in (*NAMES[1:], NAMES[0]):
            app.theme = name
            await pilot.pause()
            see(app, pilot)


def seen(scene: Scene, size: tuple[int, int]) -> tuple[str, Mapping[str, Paint]]:
    """The picture in the first theme, and what is where in each theme."""
    paints: dict[str, Paint] = {}
    pictures: dict[str, str] = {}

    def see(app: TopApp, pilot: Pilot[None]) -> None:
        picture = re.sub(r"terminal-\d+", "terminal", app.export_screenshot(simplify=True))
        assert pictures.setdefault(app.theme, picture) == picture, "there and back again changes nothing"
        paints[app.theme] = paint(app)

    run(lambda: look(scene, size, see))
    return pictures[NAMES[0]], {name: paints[name] for name in NAMES}


def check(name: str, scene: Scene, size: tuple[int, int], golden: Golden) -> None:
    picture, paints = seen(scene, size)
    width, height = size
    golden(f"neuron-top/{name}.{width}x{height}.svg", picture)
    golden(f"neuron-top/{name}.{width}x{height}.themes.txt", in_all_themes(paints))


def test_the_first_page(golden: Golden) -> None:
    check("overview", PAGES["overview"], SIZES[0], golden)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_every_page(name: str, size: tuple[int, int], golden: Golden) -> None:
    check(name, PAGES[name], size, golden)


@pytest.mark.slow
@pytest.mark.parametrize("name", DIALOGS)
def test_what_lies_over_or_inside_the_pages(name: str, golden: Golden) -> None:
    check(name, DIALOGS[name], SIZES[0], golden)


def test_a_colour_a_letter_and_a_place_are_each_seen() -> None:
    before = Paint(("ab", "c "), (("red", "red"), ("red", "blue")))
    recoloured = before._replace(styles=(("red", "pink"), ("red", "blue")))
    assert in_all_themes({"a": before, "b": before}) != in_all_themes({"a": before, "b": recoloured})
    assert "pink" in in_all_themes({"a": before, "b": recoloured})
    assert "1 at 0:1-1" in in_all_themes({"a": before, "b": recoloured})
    moved = before._replace(styles=(("pink", "red"), ("red", "blue")))
    assert in_all_themes({"a": before, "b": moved}) != in_all_themes({"a": before, "b": recoloured})
    with pytest.raises(AssertionError, match="other letters"):
        in_all_themes({"a": before, "b": before._replace(lines=("ax", "c "))})
