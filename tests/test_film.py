"""The moving picture of the demo: at each instant one screen, as it was, and the story itself in a real terminal."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.make_demo import TARGET, main
from docs.moving_svg import Frame, Line, Run, moving_svg, painted

LASTS_S = 60.0
_SVG = "{http://www.w3.org/2000/svg}"
_KEYFRAMES = re.compile(r"@keyframes k(\d+)\{(.*?)\}#f", re.DOTALL)
_STEP = re.compile(r"([\d.]+)%\{visibility:(\w+)\}")

runs = st.builds(Run, st.text('a <&"█', min_size=1, max_size=5), st.just("#ffffff"), st.none(), st.booleans())
lines: st.SearchStrategy[Line] = st.lists(runs, max_size=3).map(tuple)
screens = st.lists(lines, min_size=1, max_size=3).map(tuple)


def seen_at(svg: str, percent: float) -> list[int]:
    """The frames that are visible then."""
    found = []
    for number, steps in _KEYFRAMES.findall(svg):
        before = [state for at, state in _STEP.findall(steps) if float(at) <= percent]
        found += [int(number)] if before and before[-1] == "visible" else []
    return found


@given(st.lists(screens, min_size=1, max_size=6), st.lists(st.integers(1, 99), min_size=6, max_size=6, unique=True))
def test_at_each_instant_there_is_one_screen(shown: list[tuple[Line, ...]], percents: list[int]) -> None:
    times = [0, *sorted(percents[1 : len(shown)])]
    frames = [Frame(at * LASTS_S / 100, screen) for at, screen in zip(times, shown, strict=True)]
    svg = moving_svg(frames, 15, 3, LASTS_S)
    for number, begins in enumerate(times):
        assert seen_at(svg, begins) == [number]
    assert seen_at(svg, 99.9) == [len(frames) - 1]
    texts = {text.text for text in ElementTree.fromstring(svg).iter(f"{_SVG}text")}
    assert texts == {part for screen in shown for line in screen for run in line for part in words(run.text)}


def words(text: str) -> list[str]:
    return [part.strip() for part in re.split("  +", text) if part.strip()]


def test_colours_reach_from_one_line_into_the_next() -> None:
    first, second, third = painted("\x1b[38;2;1;2;3mone\ntwo\x1b[0m three", 3)
    assert [run.front for run in (*first, second[0])] == ["#010203"] * 2
    assert second[1].text == " three" and second[1].front != "#010203" and third == ()


def test_the_picture_that_is_committed_can_be_read() -> None:
    frames = [group for group in ElementTree.parse(TARGET).iter(f"{_SVG}g") if group.get("class") == "f"]
    assert len(frames) > 50 and TARGET.stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.tmux
def test_the_story_goes_as_it_is_told(tmp_path: Path) -> None:
    main(tmp_path / "demo.svg", pace=0.2)
    svg = (tmp_path / "demo.svg").read_text()
    assert "✓ nothing found" in svg and "ecc-uncorrected" in svg and "NeuronUncorrectableError" in svg
