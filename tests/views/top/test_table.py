"""The table of processes: what it is sorted by, which words find, and which columns are there at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neurontools.views.top import quantities
from neurontools.views.top.panels.frame import compose
from neurontools.views.top.panels.processes import fitting, render
from neurontools.views.top.plan import Place
from neurontools.views.top.spans import width_of
from neurontools.views.top.table import Order, columns, key_of, table
from tests.views.top.crafted import host_of
from tests.views.top.hosts import shown

EVERY = columns(quantities.binary)
NAMES = [column.name for column in EVERY]
MANY = host_of("trn2.48xlarge", processes=200)[0]
HOSTS = (shown("two-tenants")[0], MANY, host_of("inf2.xlarge", processes=0)[0], host_of("inf2.xlarge", known=False)[0])


@given(st.sampled_from(NAMES), st.booleans())
def test_rows_are_in_the_order_of_the_column(name: str, reverse: bool) -> None:
    interval = shown("opt-30b")[0]
    column = next(column for column in EVERY if column.name == name)
    rows = table(interval, Order(name, reverse), EVERY).rows
    by_key = {key_of(process): column.value(process) for process in interval.processes}
    values = [by_key[row.key] for row in rows if row.key is not None]
    assert len(values) == len(interval.processes)
    known = [value.lower() if isinstance(value, str) else value for value in values if value is not None]
    assert known == sorted(known, reverse=column.number != reverse)


def test_the_filter_finds_all_words_wherever_they_stand() -> None:
    interval = shown("two-tenants")[0]
    found = {
        words: len(table(interval, Order(words=words), EVERY).rows) for words in ("", "CHAT", "alice llama", "bob x")
    }
    assert found == {"": 2, "CHAT": 1, "alice llama": 1, "bob x": 0}


def test_the_tree_has_users_processes_and_models() -> None:
    rows = table(shown("two-tenants")[0], Order("PID", reverse=True, tree=True), EVERY).rows
    assert [(row.depth, row.texts["PID"]) for row in rows] == [
        *((0, "bob"), (1, "4096"), (2, "10001")),
        *((0, "alice"), (1, "4157"), (2, "10001")),
    ]


def test_a_column_that_nobody_fills_is_not_there_and_says_why() -> None:
    every = table(MANY, Order(), EVERY)
    assert {"EXEC/S", "P50", "P99", "ERRORS"} <= set(NAMES) - {column.name for column in every.known}
    note = render(every, Order(), None, 200, lambda metric: f"because of {metric}").remark()
    assert "exec/s" in note[0].text
    assert "because of process_" in note[0].text


@given(st.sampled_from(HOSTS), st.integers(1, 400), st.integers(1, 60), st.booleans())
def test_the_table_fills_its_place(interval: object, width: int, height: int, tree: bool) -> None:
    order = Order(tree=tree)
    made = table(interval, order, EVERY)  # type: ignore[arg-type]
    lines, _ = compose(render(made, order, None, width, str), Place(0, 0, width, height))
    assert {width_of(line.spans) for line in lines} == {width}


def test_the_narrower_the_fewer_columns_and_the_pid_stays() -> None:
    known = table(shown("two-tenants")[0], Order(), EVERY).known
    shown_at = [[column.name for column in fitting(known, width)] for width in (5, 40, 80, 120, 200)]
    assert [len(names) for names in shown_at] == sorted(len(names) for names in shown_at)
    assert all("PID" in names for names in shown_at)
    assert "COMMAND" in shown_at[3]
    assert len(shown_at[4]) == len(known)


def test_numbers_are_short_and_say_their_unit() -> None:
    assert [quantities.latency(seconds) for seconds in (4.2e-5, 0.0042, 0.812, 1.5, 123.4)] == [
        *("42.0 µs", "4.20 ms", "812 ms", "1.50 s", "123 s"),
    ]
    assert [quantities.rate(value) for value in (0, 0.42, 31.5, 12345.6)] == ["0", "0.42", "31.5", "12,346"]
    assert quantities.cores([5, 0, 1, 2, 9]) == "0-2, 5, 9"
    assert [quantities.decimal(count) for count in (999, 15_840_000_000, 999_999)] == ["999 B", "15.84 GB", "1.00 MB"]
