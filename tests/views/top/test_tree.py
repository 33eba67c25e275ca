"""The memory tree: a parent is the sum of its children, whatever is open, and the selection always stays in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.interval import Interval, ProcessInterval
from neurontools.views.top.tree import HOST_PATH, Node, Path, Rows, openable, tree_rows
from tests.views.top.crafted import host_of
from tests.views.top.hosts import shown

HOSTS = (
    shown("two-tenants")[0],
    shown("opt-30b")[0],
    host_of("trn2.48xlarge", processes=3)[0],
    host_of("trn2.48xlarge", processes=3, lnc=1)[0],
)


def whole(interval: Interval, process: ProcessInterval | None = None) -> tuple[Node, ...]:
    return tree_rows(interval, process, None, None).nodes


def parent_of(path: Path, nodes: dict[Path, Node]) -> Path:
    path = path[:-1]
    while path and path not in nodes:
        path = path[:-1]
    return path


def check_sums(nodes: tuple[Node, ...], device_only: bool = False) -> None:
    by_path = {node.path: node for node in nodes}
    assert len(by_path) == len(nodes)
    for parent in nodes:
        if parent.opened is None:
            continue
        children = [node for node in nodes if node is not parent and parent_of(node.path, by_path) == parent.path]
        assert sum(child.device_bytes or 0 for child in children) == parent.device_bytes
        if not device_only:
            assert sum(child.host_bytes or 0 for child in children) == (parent.host_bytes or 0)


@pytest.mark.parametrize("interval", HOSTS)
def test_a_parent_is_the_sum_of_its_children(interval: Interval) -> None:
    check_sums(whole(interval))


@pytest.mark.parametrize("interval", HOSTS)
def test_so_it_is_for_one_process(interval: Interval) -> None:
    for process in interval.processes:
        nodes = whole(interval, process)
        check_sums(nodes, device_only=True)
        assert sum(node.device_bytes or 0 for node in nodes if len(node.path) == 1) == process.memory_used_bytes
        assert nodes[0].path == HOST_PATH
        assert nodes[0].host_bytes == process.host_memory_bytes


@pytest.mark.parametrize("interval", HOSTS)
def test_the_roots_are_the_devices_and_add_up_to_the_node(interval: Interval) -> None:
    roots = [node for node in whole(interval) if len(node.path) == 1]
    assert [node.path for node in roots] == [(device.device,) for device in interval.devices]
    assert sum(node.device_bytes or 0 for node in roots) == sum(core.memory_used_bytes or 0 for core in interval.cores)
    assert [node.host_bytes for node in roots] == [device.host_memory_bytes for device in interval.devices]


def test_models_stand_on_the_cores_that_hold_them() -> None:
    interval = HOSTS[0]
    pieces = {
        (piece.device, piece.core, process.pid, model.model_id)
        for process in interval.processes
        for model in process.models or ()
        for piece in model.subgraphs
    }
    assert {node.path for node in whole(interval) if node.model_id} == pieces


def test_a_model_holds_no_more_than_its_core() -> None:
    interval, _ = host_of("inf2.xlarge", processes=1)
    (process,) = interval.processes
    for model in process.models or ():
        for piece in model.subgraphs:
            piece.device_memory["tensors"] *= 100
    nodes = whole(interval)
    check_sums(nodes)
    categories = {node.path[-1]: node.device_bytes for node in nodes if node.path[:2] == (0, 0)}
    assert categories["Tensors"] == 0


def test_unknown_memory_is_unknown_all_the_way_up() -> None:
    nodes = whole(host_of("inf2.xlarge", known=False)[0])
    assert {(node.device_bytes, node.host_bytes) for node in nodes} == {(None, None)}


@given(st.data())
def test_the_selection_is_in_sight_whatever_is_open(data: st.DataObject) -> None:
    interval = HOSTS[0]
    every = sorted(openable(lambda opened: tree_rows(interval, None, opened, None)), key=str)
    opened = frozenset(data.draw(st.sets(st.sampled_from(every))))
    selected = data.draw(st.sampled_from([node.path for node in whole(interval)]))
    rows = tree_rows(interval, None, opened, selected)
    assert rows.selected is not None
    found = rows.nodes[rows.selected].path
    assert found == selected[: len(found)]
    assert rows.device == selected[0]
    assert {node.path for node in rows.nodes} <= {node.path for node in whole(interval)}


def test_an_empty_host_has_an_empty_tree() -> None:
    empty = Interval(head=HOSTS[0].head, duration_ns=1, processes_known=False)
    assert tree_rows(empty, None, None, (3,)) == Rows(())
