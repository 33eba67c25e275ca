"""What people read is whole: no powers of ten, no cut words, no time without a digit, one device and two devices."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.schema.finding import CannotTell, Diagnosis, Finding, Scope
from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.schema.snapshot import Gap, Head, Origin
from neurontools.units import format_bytes
from neurontools.views.top import quantities
from neurontools.views.top.app import EVERY, PAGES, TopApp
from neurontools.views.top.chart import Window
from neurontools.views.top.control import Control
from neurontools.views.top.history.history import EVENT, Marker
from neurontools.views.top.links import map_of
from neurontools.views.top.panels import findings, topology
from neurontools.views.top.panels import process as process_panel
from neurontools.views.top.panels.charts import NODE_CHARTS, Past, _axis
from neurontools.views.top.panels.frame import compose
from neurontools.views.top.panels.processes import render
from neurontools.views.top.panels.topology import traffic
from neurontools.views.top.plan import Place as PanelPlace
from neurontools.views.top.screens.help import READING, keys_of, rows_of
from neurontools.views.top.screens.memory import MemoryScreen
from neurontools.views.top.screens.processes import FACTS, ProcessesScreen
from neurontools.views.top.screens.signal import SignalScreen
from neurontools.views.top.spans import Block, width_of
from neurontools.views.top.state import title_of, why_unknown
from neurontools.views.top.table import Order, columns, table
from tests.views.top.hosts import NS, Host, shown
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


def test_a_column_stays_while_nothing_runs() -> None:
    interval = shown("opt-30b", "trn2.48xlarge")[0]
    idle = tuple(replace(process, latency_total=None) for process in interval.processes)
    every = columns(format_bytes)
    names = {column.name for column in table(replace(interval, processes=idle), Order(), every).known}
    assert {"P50", "P99"} <= names
    blind = tuple(replace(process, latency_total_histogram=None) for process in idle)
    assert not {"P50", "P99"} & {c.name for c in table(replace(interval, processes=blind), Order(), every).known}


def test_work_without_tokens_makes_none_per_second() -> None:
    makes, trains = (shown(name, "trn1.32xlarge") for name in ("opt-30b", "link-contention"))
    assert title_of(*makes).tokens_per_s is not None
    assert title_of(*trains).tokens_per_s is None
    block = process_panel.facts(trains[0].processes[0], trains[0].head.time_ns, format_bytes, 100, str)
    text = "\n".join("".join(span.text for span in line.spans) for line in block.lines())
    assert "tokens/s" not in text
    assert "requests/s" in text


def test_where_models_are_unknown_none_is_counted() -> None:
    process = ProcessInterval(pid=1, started_ns=0)
    assert process_panel.models(process, format_bytes, 80, lambda _: "why").note == ()
    assert process_panel.models(replace(process, models=()), format_bytes, 80, str).note[0].text == "0 loaded"


def test_each_missing_column_has_its_own_reason() -> None:
    gaps = {"core_utilization_percent": Gap(reason="too old")}
    head = Head(time_ns=1, boot_id="b", origin=Origin(kind="driver"), gaps=gaps)
    interval = Interval(head=head, duration_ns=1, processes=(ProcessInterval(pid=1, started_ns=0),))
    found = table(interval, Order(), columns(format_bytes))
    reasons = render(found, Order(), None, 80, lambda metric: why_unknown(interval.head, metric)).why.split("; ")
    assert "util: too old" in reasons
    assert any(reason.startswith("exec/s, ") or ", exec/s" in reason for reason in reasons)


@pytest.mark.parametrize("width", [24, 40, 66, 120])
def test_a_signals_question_is_whole_at_any_width(width: int) -> None:
    async def test() -> None:
        async with running(Host(), (width, 24), control=Control(lambda pid, started_ns, number: None)) as (app, pilot):
            await pilot.press("p", "k")
            for key, words in (("down", "esc closes"), ("y", "Send SIGINT to 4096 (batch-eval)? y yes, n no")):
                await pilot.press(key)
                assert isinstance(app.screen, SignalScreen)
                lines = app.screen._panel.block.lines()
                text = " ".join(" ".join("".join(span.text for span in line.spans) for line in lines).split())
                assert words in text
                assert "as Ctrl+C would" in text or width < 30
                assert width < 40 or max(width_of(line.spans) for line in lines) <= width - 4

    run(test)


def test_a_section_without_a_name_has_a_frame_without_a_gap() -> None:
    lines, _ = compose(Block(), PanelPlace(0, 0, 20, 3, framed=True))
    assert "".join(span.text for span in lines[0].spans) == f"╭{'─' * 18}╮"


@pytest.mark.parametrize("width", [24, 30, 40])
def test_a_narrow_list_of_links_has_them_all(width: int) -> None:
    found = map_of(*shown("opt-30b", "trn2.48xlarge"))
    for device in found.nodes:
        block = topology.render(found, device, width, str)
        lines = ["".join(span.text for span in line.spans).rstrip() for line in block.lines()]
        assert not any("…" in line for line in lines)
        assert sum(line.count("(") for line in lines) == 2 * len(found.links)
        assert block.focus is not None
        start = next(number for number, line in enumerate(lines) if line.split()[0] == f"ND{device}")
        assert all(not line.startswith("ND") for line in lines[start + 1 : block.focus + 1])


@pytest.mark.parametrize("width", [50, 61, 80, 98, 116])
def test_no_percentile_is_cut(width: int) -> None:
    interval = shown("opt-30b")[0]
    process = interval.processes[0]
    assert process.latency_total is not None
    block = process_panel.facts(process, interval.head.time_ns, format_bytes, width, str)
    lines = ["".join(span.text for span in line.spans) for line in block.lines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("latency "))
    after = next(place for place, line in enumerate(lines) if line.startswith("first token "))
    words = " ".join(lines[first:after]).split()
    for name in ("p0", "p25", "p50", "p75", "p99", "p100"):
        number, unit = quantities.latency(getattr(process.latency_total, name)).split()
        place = words.index(name)
        assert words[place + 1 : place + 3] == [number, unit]


def test_the_footer_of_the_memory_tells_of_keys_that_do_something() -> None:
    def foot(screen: MemoryScreen) -> str:
        return "".join(span.text for line in screen._panels["footer"].shown for span in line.spans)

    async def test() -> None:
        async with running(Host()) as (app, pilot):
            await pilot.press("m")
            screen = app.page
            assert isinstance(screen, MemoryScreen)
            opened = screen.view.opened
            await pilot.press("enter", "x", "left", "right")
            assert screen.view.opened == opened
            assert not {"enter:", "x:"} & set(foot(screen).split())
            await pilot.press("v")
            assert {"enter:", "x:"} <= set(foot(screen).split())
            for key in ("enter", "x", "x"):
                before = screen.view.opened
                await pilot.press(key)
                assert screen.view.opened != before

    run(test)


def test_what_another_option_would_supply_is_not_called_one_of_neuron_top() -> None:
    told = CannotTell(rule="memory-leak", reason="it takes 1m of watching, this was 10s", supply="--window 1m")
    block = findings.blind_spots(Diagnosis(time_ns=0, cannot_tell=(told,)), 100)
    (line,) = ["".join(span.text for span in line.spans) for line in block.lines()]
    assert line.rstrip().endswith("it takes 1m of watching, this was 10s; neuron-doctor --window 1m")


def test_power_of_a_host_in_its_first_minute_is_told_as_one_that_comes_once_a_minute() -> None:
    interval = shown("idle", "inf2.xlarge")[0]
    head = replace(interval.head, gaps={})
    assert head.origin.kind == "model"
    assert why_unknown(head, "device_power_avg_percent").endswith("a value a minute")


def test_evidence_is_written_as_it_is_typed_again() -> None:
    evidence: dict[str, int | float | str] = {"nrt_code": 1202, "pid": 4279, "ratio": 1.25}
    scope = Scope(kind="core", core=2)
    finding = Finding(
        rule="r", severity="warn", category="c", scope=scope, since_ns=0, message="it is so", evidence=evidence
    )
    block = findings.findings(Diagnosis(time_ns=0, findings=(finding,)), NS, 100)
    lines = ["".join(span.text for span in line.spans).strip() for line in block.lines()]
    assert "nrt_code 1202, pid 4279, ratio 1.25" in lines
