"""Who started whom: every process stands in the tree once, below what started it, whatever a source says of parents."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.interval import ProcessInterval
from neurontools.units import format_bytes
from neurontools.views.top.kinship import Kin, forest
from neurontools.views.top.panels.processes import render
from neurontools.views.top.table import Order, columns, key_of, table
from tests.exporters.nodes import interval_of
from tests.views.top.hosts import shown

PROCESSES = st.lists(
    st.builds(
        ProcessInterval,
        pid=st.integers(1, 9),
        started_ns=st.integers(0, 3),
        parent_pid=st.none() | st.integers(0, 9),
    ),
    unique_by=key_of,
)


def edges(kin: Kin) -> Iterator[tuple[Kin, Kin]]:
    for child in kin.children:
        yield kin, child
        yield from edges(child)


@given(PROCESSES)
def test_each_process_stands_once_below_its_parent(processes: list[ProcessInterval]) -> None:
    found = forest(processes)
    assert sorted(key_of(one) for kin in found for one in kin.processes()) == sorted(map(key_of, processes))
    for kin in found:
        for above, below in edges(kin):
            assert below.process is not None
            assert below.process.parent_pid == above.pid
            assert above.process is None or above.process.started_ns <= below.process.started_ns


def test_a_chain_of_parents_does_not_leave_the_screen() -> None:
    chain = [ProcessInterval(pid=pid, started_ns=pid, parent_pid=pid - 1) for pid in range(2, 2000)]
    assert sum(1 for kin in forest(chain) for _ in kin.processes()) == len(chain)


def test_ranks_stand_below_their_launcher_and_these_below_their_user() -> None:
    interval = shown("opt-30b", "trn2.48xlarge")[0]
    found = table(interval, Order("PID", reverse=True, tree=True), columns(format_bytes))
    groups = [(row.depth, row.texts["PID"], row.texts["COMMAND"]) for row in found.rows if row.key is None]
    assert groups == [(0, "ubuntu", "3 processes"), (1, "4084", "parent of 3")]
    ranks = [(row.depth, row.key and row.key[0]) for row in found.rows if row.key and not row.model]
    assert ranks == [(2, 4096), (2, 4157), (2, 4218)]
    assert "4084" not in {row.texts["PID"] for row in table(interval, Order(), found.known).rows}


def test_no_pid_of_the_tree_is_cut() -> None:
    first, second, *_ = interval_of(INSTANCES["inf2.24xlarge"]).processes
    first = replace(first, pid=4_194_302, parent_pid=4_194_301)
    second = replace(second, pid=4_194_303, parent_pid=first.pid, started_ns=first.started_ns + 1)
    interval = replace(interval_of(INSTANCES["inf2.24xlarge"]), processes=(first, second))
    found = table(interval, Order(tree=True), columns(format_bytes))
    block = render(found, Order(tree=True), None, 120, str)
    lines = ["".join(span.text for span in line.spans) for line in block.lines()]
    assert [row.depth for row in found.rows if row.key and not row.model] == [2, 3]
    assert all(any(f" {pid} " in line for line in lines) for pid in (4_194_301, first.pid, second.pid))


def test_without_known_parents_the_tree_is_by_user() -> None:
    interval = interval_of(INSTANCES["inf2.24xlarge"])
    assert all(process.parent_pid is None for process in interval.processes)
    found = table(interval, Order(tree=True), columns(format_bytes))
    assert {row.depth for row in found.rows if row.key and not row.model} == {1}
