"""Every section at every size is exactly as wide and as high as its place, and says its numbers in words too."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neurontools.views.top.cells import BUSY, FLOPS, Cell, Cores, DeviceRow
from neurontools.views.top.panels import cores, details, footer, summary, title, vcpu
from neurontools.views.top.panels.frame import compose, reveal
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.overview import OverviewScreen
from neurontools.views.top.spans import Block, Line, Span, bar, clean, cut, left, level, right, width_of
from neurontools.views.top.state import Contents, Title, Vcpu, View, contents
from tests.views.top.crafted import host_of

HOSTS = (
    host_of("inf2.xlarge"),
    host_of("trn2.48xlarge", processes=12),
    host_of("trn2.48xlarge", lnc=1),
    host_of("inf1.24xlarge", processes=0),
    host_of("trn1.32xlarge", known=False),
)
VIEWS = (View(), View(mode=FLOPS, opened=frozenset({(0,), (0, 0)})), View(tab=(5000, 0), selected=(0,)))
CONTENTS = tuple(contents(*host, view) for host in HOSTS for view in VIEWS)
TEXTS = st.text(max_size=30) | st.sampled_from(["日本語", "e\u0301", "\U0001f600" * 3])


def blocks(shown: Contents, width: int, height: int) -> list[Block]:
    return [
        title.render(shown.title, "0.1.0", width),
        cores.render(shown.cores, width, height),
        vcpu.render(shown.vcpu, width, height),
        summary.render(shown.memory, width, height),
        details.render(shown.tree, width),
        footer.render(shown.tabs, shown.why_no_tabs, OverviewScreen.HINTS, width),
    ]


def text(line: Line) -> str:
    return "".join(span.text for span in line.spans)


@given(st.sampled_from(CONTENTS), st.integers(1, 400), st.integers(1, 120), st.booleans(), st.integers(0, 500))
def test_a_panel_fills_its_place(shown: Contents, width: int, height: int, framed: bool, first: int) -> None:
    framed = framed and width >= 8 and height >= 3
    place = Place(0, 0, width, height, framed, headed=height > 1)
    for block in blocks(shown, *place.inner):
        lines, start = compose(block, place, first)
        assert len(lines) == height
        assert {width_of(line.spans) for line in lines} == {width}
        assert 0 <= start <= max(0, len(block.rows) - 1)


@given(st.sampled_from(CONTENTS), st.integers(2, 60), st.integers(0, 500))
def test_the_selected_row_can_be_brought_into_sight(shown: Contents, height: int, first: int) -> None:
    block = details.render(shown.tree, 80)
    place = Place(0, 0, 80, height + 2)
    assert block.focus is not None
    lines, _ = compose(block, place, reveal(block, place, first))
    assert any(line.ground == "selected" for line in lines)


@given(st.lists(st.tuples(st.floats(-1, 9) | st.floats(0, 0.1), st.just("low")), max_size=4), st.integers(0, 60))
@example([(0.014, "low"), (0.007, "low")], 18)
def test_a_bar_is_as_long_as_it_must_be(parts: list[tuple[float, str]], width: int) -> None:
    drawn = bar(parts, width)
    assert width_of(drawn) == width
    filled = sum(len(span.text) for span in drawn if span.role == "low")
    share = min(1.0, sum(max(0.0, share) for share, _ in parts))
    assert abs(filled - share * width) <= 1 + len(parts) / 2


def test_a_small_part_can_still_be_seen_and_nothing_is_nothing() -> None:
    assert bar([(0.01, "low")], 10)[0] == Span("╸", "low")
    assert bar([(0.0, "low")], 10) == (Span("┄" * 10, "faint"),)
    assert [level(share, "low").text for share in (0.0, 0.01, 0.5, 1.0, 5.0)] == ["▁", "▁", "▄", "▇", "▇"]


@given(TEXTS, st.integers(0, 20))
def test_text_is_fitted_to_columns_not_letters(words: str, width: int) -> None:
    words = clean(words)
    assert words.isprintable()
    assert width_of([Span(left(words, width))]) == width
    assert width_of([Span(right(words, width))]) == width
    assert width_of(cut((Span(words), Span("tail")), width)) == width


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (48, r"ND0  ━+╸?┄* +56\.81%  ━{38} 100\.00%"),
        (12, r"ND0  ━+╸?┄*  56\.8% ━{4} 100\.0%"),
        (9, r"ND0  ▄  56\.8% ▇ 100\.0%"),
        (8, r"ND0  ▄ 56\.8% ▇100\.0%"),
        (5, r"ND0   57% 100%"),
    ],
)
def test_a_cell_shrinks_from_bar_and_number_to_the_number(cell: int, expected: str) -> None:
    row = DeviceRow(0, (Cell(0, 56.81, 0.5681), Cell(1, 100.0, 1.0)), False)
    block = cores.render(Cores("v2", BUSY, 78.4, (row,)), 5 + 2 * cell, 2)
    assert re.fullmatch(expected, text(block.lines()[1]).rstrip())


def test_every_number_of_a_cell_is_there_without_colour() -> None:
    row = DeviceRow(3, (Cell(6, None, 0.0), Cell(7, 583.2, 5.832), Cell(8, 1.0, 0.01, shown=False)), True)
    block = cores.render(Cores("v2", BUSY, None, (row,), "because"), 80, 2)
    line = block.lines()[1]
    assert re.fullmatch(r"ND3  ┄+ +N/A +━+ 583\.20% +· *", text(line))
    assert line.ground == "selected"
    assert block.remark(9) == (Span("N/A: bec…", "dim"),)


def test_the_mark_is_the_last_thing_to_go() -> None:
    host = Title("i-0", "inf2.xlarge", 1234.5, ("REPLAY", "SIMULATED"), "opt")
    full = text(title.render(host, "0.1.0", 100).rows[0])
    assert full.startswith("neuron-top 0.1.0 running on i-0 (inf2.xlarge)")
    assert full.endswith("1,234 tokens/s   REPLAY  SIMULATED  opt")
    for width in range(20, 100):
        assert "SIMULATED" in text(title.render(host, "0.1.0", width).rows[0])


def test_vcpu_in_the_official_words() -> None:
    two = vcpu.render(Vcpu((0.72, 9.13), None, "why"), 60, 2).lines()
    assert re.fullmatch(r"System vCPU Usage  ━*╸*━*╸*┄+ +\[ 0\.72%,  9\.13%\]", text(two[0]))
    assert re.fullmatch(r"Runtime vCPU Usage ┄+ +N/A", text(two[1]))


def test_the_current_tab_is_in_sight_among_two_hundred() -> None:
    interval, inventory = host_of("trn2.48xlarge", processes=200)
    for place in (0, 7, 199):
        process = interval.processes[place]
        shown = contents(interval, inventory, View(tab=(process.pid, process.started_ns)))
        line = text(footer.render(shown.tabs, "", OverviewScreen.HINTS, 60).rows[0])
        assert f">[{place + 2}]:{process.pid}<" in line


@pytest.mark.parametrize(("instance", "of"), [("trn2.48xlarge", "of 1.50 TiB"), ("inf2.48xlarge", "of 384 GiB")])
def test_the_capacity_is_not_rounded_to_another_number(instance: str, of: str) -> None:
    shown = contents(*host_of(instance), View()).memory
    rows = [text(line) for line in summary.render(shown, 80, 40).rows]
    assert [row for row in rows if row.rstrip().endswith(of)] == [row for row in rows if row.startswith("Device Used")]
