"""What people read is whole: no powers of ten, no cut words, no time without a digit, one device and two devices."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.views.top import quantities
from neurontools.views.top.app import EVERY, PAGES, TopApp
from neurontools.views.top.chart import Window
from neurontools.views.top.history.history import EVENT, Marker
from neurontools.views.top.panels.charts import NODE_CHARTS, Past, _axis
from neurontools.views.top.panels.topology import traffic
from neurontools.views.top.screens.help import READING, keys_of, rows_of
from neurontools.views.top.screens.processes import FACTS, ProcessesScreen
from tests.views.top.hosts import NS, Host
from tests.views.top.piloting import page, run, running


@given(st.floats(min_value=0, max_value=1e16))
def test_a_number_has_three_figures_and_no_power_of_ten(value: float) -> None:
    for text in (quantities.figures(value / 1e12), *(chart.text(value) for chart in NODE_CHARTS), traffic(value)):
        assert not re.search(r"e[+-]", text), text
    number, prefix = quantities.prefixed(value)
    assert prefix == "T" or len(number) <= 4 or value < 1
    size = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert value < 0.001 or float(number.replace(",", "")) * size == pytest.approx(value, rel=0.0051)


def test_one_of_a_thing_is_no_plural() -> None:
    assert [quantities.counted(n, "process") for n in (0, 1, 2)] == ["0 processes", "1 process", "2 processes"]
    assert quantities.counted(1, "neighbour") == "1 neighbour"


@given(st.integers(20, 120), st.lists(st.integers(0, 299), max_size=3))
def test_a_sign_on_the_axis_leaves_no_time_without_a_digit(columns: int, seconds: list[int]) -> None:
    markers = tuple(Marker(second * NS, EVENT, "x") for second in seconds)
    past = Past((), 0, 0, 300 * NS, None, NS, markers)
    spans = _axis(past, Window(300 * NS, 300 * NS // (2 * columns), 2 * columns), columns, None)
    text = "".join(span.text for span in spans)
    assert len(text) == columns
    assert set(text.replace("•", " ").split()) <= {"−5m", "−2m30s", "now"}


@pytest.mark.parametrize("width", [12, 20, 35, 73])
def test_the_help_has_every_word(width: int) -> None:
    for page_class in PAGES:
        entries = [*keys_of(page_class.BINDINGS), *keys_of(TopApp.BINDINGS), *READING]
        lines = ["".join(span.text for span in line.spans) for line in rows_of((("Keys", entries),), width)]
        words = " ".join(lines).split()
        for key, does in entries:
            assert set(does.split()) <= set(words), does
            assert width < 20 or key.split()[0] in " ".join(lines)
        assert width < 20 or max(map(len, lines)) <= width


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_of_a_process_in_full_every_line_can_be_reached(size: tuple[int, int]) -> None:
    async def test() -> None:
        async with running(Host("opt-30b", "trn2.48xlarge"), size) as (app, pilot):
            await pilot.press("p", "enter")
            assert isinstance(app.page, ProcessesScreen)
            rows = len(app.page._panels[FACTS].block.rows)
            seen = "\n".join(page(app))
            for _ in range(rows):
                await pilot.press("down")
                seen += "\n".join(page(app))
            for words in ("--batch-size 8", "command", "device memory", "Model Scratchpad", "host memory", "resident"):
                assert words in seen
            (foot,) = ["".join(span.text for span in line.spans) for line in app.page._panels["footer"].shown]
            assert "esc: back" in foot
            assert "sort" not in foot

    run(test)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_no_chart_is_without_its_values(size: tuple[int, int]) -> None:
    async def test() -> None:
        async with running(Host("opt-30b", "trn2.48xlarge"), size) as (app, pilot):
            app.reader.remember()
            app.session.take(app.reader.read())
            await pilot.press(next(about.key for about in EVERY if about.name == "history"))
            titles = {chart.title for chart in NODE_CHARTS}
            headings = [line for line in page(app) if any(f" {title} " in line for title in titles)]
            assert headings
            assert all("━" in line.partition("─ ")[2] for line in headings), headings

    run(test)
