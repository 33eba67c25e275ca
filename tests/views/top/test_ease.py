"""What makes it pleasant: jumps, themes, units, the period, pictures and settings, each by its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from neurontools.views.top.app import EVERY, PAGES
from neurontools.views.top.panels.pages import PageTab
from neurontools.views.top.panels.pages import render as render_tabs
from neurontools.views.top.screens.help import HelpScreen
from neurontools.views.top.settings import (
    DEFAULTS,
    PAGE_NAMES,
    THEME_NAMES,
    Keeper,
    Settings,
    SettingsError,
    as_text,
    settings_of,
)
from neurontools.views.top.spans import Span, width_of
from neurontools.views.top.theme import THEMES
from tests.views.top.hosts import Host
from tests.views.top.piloting import page, run, running


def test_a_jump_is_a_click_by_letters() -> None:
    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press("j")
            names = {link: name for name, link in app.page._jumps.items()}
            assert len(set(names.values())) == len(names) > 10
            await pilot.press(*names["app.page('memory')"])
            assert app.page.ABOUT.name == "memory"
            assert not app.pages["overview"]._jumps
            await pilot.press("j", "escape", "o")
            assert app.page.ABOUT.name == "overview"

    run(test)


@pytest.mark.slow
def test_every_page_by_its_letter_by_tab_and_by_click() -> None:
    async def test() -> None:
        async with running(Host(), (160, 40)) as (app, pilot):
            for about in (*EVERY[1:], EVERY[0]):
                await pilot.press(about.key)
                assert about == app.page.ABOUT
            for about in (*EVERY[1:], EVERY[0]):
                await pilot.press("tab")
                assert about == app.page.ABOUT
            await pilot.press("shift+tab")
            assert EVERY[-1] == app.page.ABOUT

    run(test)


@pytest.mark.slow
def test_help_has_the_keys_of_the_page_and_of_all_and_any_key_closes_it() -> None:
    async def test() -> None:
        async with running(Host(), (120, 60)) as (app, pilot):
            for about in EVERY:
                await pilot.press(about.key, "question_mark")
                assert isinstance(app.screen, HelpScreen)
                words = {line.spans[-1].text for line in app.screen._panel.block.lines() if line.spans}
                assert {"Everywhere", "How to read it", f"On the page {about.title}"} <= words
                await pilot.press("down", "q")
                assert about == app.page.ABOUT
                assert not app.screen.is_modal

    run(test)


def test_a_key_that_follows_close_upon_the_one_that_closes_the_help_is_for_the_page() -> None:
    async def test() -> None:
        async with running(Host(), (120, 40)) as (app, pilot):
            await pilot.press("o", "question_mark")
            screen = app.screen
            assert isinstance(screen, HelpScreen)
            for key in ("x", "h"):
                screen.on_key(events.Key(key, key))
            await pilot.pause()
            assert app.page.ABOUT.key == "h"

    run(test)


@pytest.mark.slow
def test_gigabytes_of_both_kinds() -> None:
    async def test() -> None:
        async with running(Host("opt-30b"), (160, 50)) as (app, pilot):
            for key, units in (("o", ("GiB", "GB")), ("p", ("GiB", "GB")), ("m", ("GiB", "GB"))):
                await pilot.press(key)
                for unit, other in (units, units[::-1]):
                    text = "\n".join(page(app))
                    assert f" {unit}" in text
                    assert f" {other} " not in text
                    await pilot.press("u")

    run(test)


def test_the_period_by_plus_and_minus() -> None:
    async def test() -> None:
        async with running(Host(), refresh_s=1.0) as (app, pilot):
            seen = []
            for key in ("plus", "equals_sign", "minus"):
                await pilot.press(key)
                seen.append(app.refresh_s)
            for step in (*[-1] * 4, *[1] * 8):
                app.action_refresh_rate(step)
                seen.append(app.refresh_s)
            assert seen[:7] == [2.0, 5.0, 2.0, 1.0, 0.5, 0.5, 0.5]
            assert seen[-1] == 60.0

    run(test)


def test_a_picture_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press("f8")
            (picture,) = tmp_path.glob("neuron-top-*.svg")
            assert "SIMULATED" in picture.read_text()
            assert app._notifications

    run(test)


@pytest.mark.slow
def test_what_was_chosen_is_kept() -> None:
    kept: list[Settings] = []

    def save(settings: Settings) -> str:
        kept.append(settings)
        return "kept"

    async def test() -> None:
        async with running(Host()) as (app, pilot):
            app.kept = Keeper(save=save)
            await pilot.press("u", "ctrl+t", "plus", "h", "ctrl+s")

    run(test)
    assert kept[0]._replace(refresh_s=0.5) == Settings(THEME_NAMES[1], "GB", 0.5, "history")
    assert settings_of({"theme": THEME_NAMES[1], "unit": "GB", "page": "history"}) == kept[0]._replace(refresh_s=1.0)


def test_settings_know_the_themes_and_pages_that_there_are() -> None:
    assert tuple(each.name for each in THEMES) == THEME_NAMES
    assert tuple(each.ABOUT.name for each in PAGES) == PAGE_NAMES
    assert 'theme = "neuron-dark"' in as_text(DEFAULTS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"them": "x"}, "no setting 'them'.*did you mean 'theme'"),
        ({"theme": "neuron-lihgt"}, "theme is one of .*did you mean 'neuron-light'"),
        ({"refresh_s": 0.1}, "refresh_s is 0.5 to 60"),
        ({"refresh_s": True}, "refresh_s"),
        ({"unit": 3}, "unit is one of GiB, GB"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings_of(given)


def test_broken_settings_are_said_on_the_screen() -> None:
    async def test() -> None:
        async with running(Host(), trouble="x") as (app, _):
            assert any(note.message == "x" for note in app._notifications)

    run(test)


def test_tabs_give_way_to_what_is_wrong_and_keep_their_keys() -> None:
    tabs = [PageTab(*about, current=about is EVERY[0]) for about in EVERY]
    ends = [(Span("x" * length),) for length in (30, 10, 1)]
    for width in range(1, 140):
        (line,) = render_tabs(tabs, ends, width).rows
        assert width_of(line.spans) == width
        text = "".join(span.text for span in line.spans)
        assert width < 80 or all(about.title in text for about in EVERY)
        assert width < 60 or "x" in text
