"""What every page looks like, in every theme and at common sizes, at a fixed instant of a fixed scenario."""

from __future__ import annotations

import re

import pytest

from neurontools.views.top.app import EVERY
from neurontools.views.top.screens.page import About
from neurontools.views.top.theme import THEMES
from tests.conftest import Golden
from tests.views.top.hosts import Host
from tests.views.top.piloting import run, running
from tests.views.top.test_time import doctor, read

SIZES = ((80, 24), (120, 40), (200, 50))
READINGS = 12


async def picture(about: About, theme: str, size: tuple[int, int]) -> str:
    """The page after some readings, a device's memory opened, as the program exports it."""
    async with running(Host("opt-30b", "trn2.48xlarge", step_s=1), size, watch=doctor) as (app, pilot):
        app.reader.remember()
        read(app, app.reader, READINGS)
        app.theme = theme
        await pilot.press(about.key, "down", "enter")
        if app.page.bank_map_of is not None:
            app.session.take(app.reader.read(bank_map_of=app.page.bank_map_of))
            app.page.update()
        await pilot.pause()
        return re.sub(r"terminal-\d+", "terminal", app.export_screenshot(simplify=True))


def test_the_first_page(golden: Golden) -> None:
    check_picture(EVERY[0], THEMES[0].name, SIZES[1], golden)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", [each.name for each in THEMES])
def test_the_first_page_in_every_theme(theme: str, size: tuple[int, int], golden: Golden) -> None:
    check_picture(EVERY[0], theme, size, golden)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("about", EVERY[1:])
def test_every_page(about: About, size: tuple[int, int], golden: Golden) -> None:
    check_picture(about, THEMES[0].name, size, golden)


@pytest.mark.slow
@pytest.mark.parametrize("theme", [each.name for each in THEMES[1:]])
@pytest.mark.parametrize("about", EVERY[1:])
def test_every_page_in_every_theme(about: About, theme: str, golden: Golden) -> None:
    check_picture(about, theme, SIZES[0], golden)


def check_picture(about: About, theme: str, size: tuple[int, int], golden: Golden) -> None:
    pictures: list[str] = []

    async def test() -> None:
        pictures.append(await picture(about, theme, size))

    run(test)
    width, height = size
    golden(f"neuron-top/{about.name}.{theme.removeprefix('neuron-')}.{width}x{height}.svg", pictures[0])
