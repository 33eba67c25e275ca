"""What is remembered is what was read, in bounded memory, and charts draw it as it is."""

from __future__ import annotations

import gc
import math
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.finding import Diagnosis, Finding, Scope
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Head, Origin, Snapshot
from neurontools.views.top.chart import Buckets, Window, bridged, draw, heights, nice_top
from neurontools.views.top.history.history import FINDING, History
from neurontools.views.top.history.rows import NODE_COLUMNS, Row, Rows, column, row_of
from neurontools.views.top.history.travel import Rewind
from neurontools.views.top.panels.charts import NODE_CHARTS, Drawer, Past
from neurontools.views.top.panels.frame import compose
from neurontools.views.top.panels.timeline import Timeline
from neurontools.views.top.panels.timeline import render as render_timeline
from neurontools.views.top.plan import Place
from neurontools.views.top.reader import Reader, lean
from neurontools.views.top.spans import width_of
from tests.views.top.crafted import CraftedHost
from tests.views.top.hosts import NS, Host

BUSY = Host("opt-30b", "trn2.48xlarge", step_s=1)
READ = [lean(BUSY.snapshot()) for _ in range(70)]
INVENTORY = BUSY.inventory()


def empty(time_ns: int) -> Snapshot:
    return Snapshot(head=Head(time_ns=time_ns, boot_id="boot", origin=Origin(kind="model")))


def row(time_ns: int, value: float) -> Row:
    return Row(time_ns, array("f", [value] * len(NODE_COLUMNS)), b"")


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 100, width=32)), max_size=80), st.integers(1, 9))
def test_a_stretch_has_the_mean_and_the_largest_of_its_readings(
    readings: list[tuple[int, float]], stretch: int
) -> None:
    rows = Rows(1000)
    buckets = Buckets(0)
    for time_ns, value in readings:
        rows.add(row(time_ns, value))
    for last in (60, 61, 90, 300, 40):
        window = Window(last, stretch, 20)
        first_ns = window.first * stretch - 1
        means, largest = buckets.take(window, rows.between(first_ns, last), rows.changes)
        for place in range(20):
            if window.first + place == last // stretch:
                continue
            own = [each.values[0] for each in rows.rows if each.time_ns // stretch == window.first + place]
            expected = sum(own) / len(own) if own else math.nan
            assert means[place] == pytest.approx(expected, nan_ok=True)
            assert largest[place] == pytest.approx(max(own, default=math.nan), nan_ok=True)


@given(st.lists(st.floats(0, 200) | st.just(math.nan), max_size=60), st.integers(2, 12))
def test_a_plot_is_as_high_as_its_values(values: list[float], rows: int) -> None:
    values = values[: len(values) // 2 * 2]
    area = heights(values, 100.0, rows)
    lines = draw(area, area, rows, ("low", "strong"))
    assert len(lines) == rows
    assert {width_of(line) for line in lines} == {len(values) // 2}
    for value, height in zip(values, area, strict=True):
        assert height == -1 if math.isnan(value) else abs(min(value, 100.0) / 100.0 * rows * 4 - height) <= 1.001


def test_axes_end_at_round_numbers_and_gaps_are_short() -> None:
    assert [nice_top(value) for value in (0, 0.3, 1.0, 1.1, 7, 42, 99, 1e9)] == [
        1.0,
        0.5,
        1.0,
        2.0,
        10.0,
        50.0,
        100.0,
        1e9,
    ]
    nan = math.nan
    assert bridged([1, nan, nan, nan, 2], 2)[:3] == [1, 1, 1]
    assert math.isnan(bridged([1, nan, nan, nan, 2], 2)[3])


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (60, 8), (200, 20)])
@pytest.mark.parametrize("cursor", [None, 40])
def test_a_chart_fills_its_place(size: tuple[int, int], cursor: int | None) -> None:
    history = History()
    reader = Reader(Host("opt-30b", step_s=1))
    reader.remember()
    for _ in range(5):
        reader.read()
    history = reader.history
    last_ns = history.rows.times[-1]
    past = Past(
        history.rows_between(0, last_ns), 0, last_ns - 60 * NS, last_ns, cursor and last_ns - cursor * NS, 6 * NS
    )
    place = Place(0, 0, *size)
    for chart in NODE_CHARTS:
        block = Drawer(chart).render(past, *place.inner)
        lines, _ = compose(block, place)
        assert {width_of(line.spans) for line in lines} == {size[0]}
    drawn = "".join(span.text for line in lines for span in line.spans)
    assert ("┃" in drawn) == (cursor is not None and size[0] > 20)


def test_a_recording_and_a_live_hour_have_a_timeline_at_any_width() -> None:
    for width in (1, 20, 80, 400):
        for timeline in (Timeline(0, 0, 0, False), Timeline(0, 3600 * NS, 1800 * NS, True, (), 5_000_000)):
            block = render_timeline(timeline, width)
            lines, _ = compose(block, Place(0, 0, width, 2, headed=False))
            assert {width_of(line.spans) for line in lines} == {width}


def test_stepping_back_and_on() -> None:
    history = History()
    history.begin("boot")
    for second in range(1, 11):
        history.add(empty(second * NS), between(empty((second - 1) * NS), empty(second * NS)), INVENTORY)
    rewind = Rewind(history)
    assert (rewind.paused, rewind.position_ns) == (False, 10 * NS)
    rewind.step(-1)
    rewind.step(-2)
    assert (rewind.paused, rewind.position_ns) == (True, 7 * NS)
    history.add(empty(11 * NS), between(empty(10 * NS), empty(11 * NS)), INVENTORY)
    assert rewind.position_ns == 7 * NS
    rewind.seek(3 * NS + 5)
    assert rewind.position_ns == 3 * NS
    rewind.step(-100)
    assert rewind.position_ns == rewind.span_ns[0] == 2 * NS
    rewind.resume()
    assert (rewind.paused, rewind.position_ns) == (False, 11 * NS)


def test_findings_are_markers_from_when_they_began() -> None:
    history = History()
    history.begin("boot")
    finding = Finding(
        rule="r", severity="warn", category="c", scope=Scope(kind="node"), since_ns=5 * NS, message="it broke"
    )
    for second in (6, 7):
        history.add_diagnosis(Diagnosis(time_ns=second * NS, findings=(finding,)))
    assert [(each.time_ns, each.kind, each.text) for each in history.markers(0, 9 * NS)] == [
        (5 * NS, FINDING, "it broke")
    ]
    assert history.diagnosis(5 * NS) is None
    assert history.diagnosis(8 * NS) is not None


def test_another_boot_begins_anew() -> None:
    history = History()
    history.begin("boot")
    history.add(empty(2 * NS), between(empty(NS), empty(2 * NS)), INVENTORY)
    history.begin("boot")
    assert history.rows.times
    history.begin("another")
    assert (history.rows.times, history.size) == ([], 0)


def test_a_row_has_the_numbers_of_its_interval() -> None:
    interval = between(*READ[:2])
    made = row_of(interval)
    known = [core.utilization_percent for core in interval.cores if core.utilization_percent is not None]
    assert made.values[column("util")] == pytest.approx(sum(known) / len(known))
    assert made.values[column("util_max")] == pytest.approx(max(known))
    assert made.values[column("memory", 3)] == pytest.approx(interval.devices[3].memory_used_percent)
    assert len(made.dots) == len(interval.cores)


@pytest.mark.slow
def test_memory_is_flat_after_the_first_hour() -> None:
    reader = Reader(CraftedHost("inf2.24xlarge", 4))
    reader.remember()
    resident: list[int] = []
    for _ in range(3):
        for _ in range(4000):
            reader.read()
        gc.collect()
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
    assert resident[2] - resident[1] < 4_000_000
    assert len(reader.history.rows.times) <= 3600 + 300 + 1
