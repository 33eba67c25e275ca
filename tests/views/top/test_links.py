"""The drawing of the topology has every link that there is, and no other; the bank map is the allocations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.allocations import Allocation, Allocations, BankMap
from neurontools.views.top import quantities
from neurontools.views.top.banks import FREE, RESERVED, held, views
from neurontools.views.top.links import all_devices, drawn, map_of, neighbours
from neurontools.views.top.panels import memory, topology
from neurontools.views.top.panels.frame import compose
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.memory import MemoryScreen
from neurontools.views.top.screens.topology import TopologyScreen
from neurontools.views.top.spans import Block, width_of
from tests.views.top.crafted import host_of
from tests.views.top.hosts import Host, shown
from tests.views.top.piloting import page, run, running, until

TYPES = [name for name, instance in INSTANCES.items() if instance.devices <= 16]


def text(block: Block) -> str:
    return "\n".join("".join(span.text for span in line.spans) for line in block.lines())


@pytest.mark.parametrize("instance", TYPES)
def test_every_device_and_every_link_is_drawn(instance: str) -> None:
    interval, inventory = host_of(instance)
    found = map_of(interval, inventory)
    assert sorted(all_devices(found.rows)) == [device.device for device in inventory.devices]
    assert drawn(found) == set(found.links)
    design = {(a.device, b) for a in inventory.devices for b in a.connected_to}
    assert {pair for a, b in found.links for pair in ((a, b), (b, a))} == design


def test_where_no_traffic_is_counted_it_says_that_this_is_the_design() -> None:
    interval, inventory = host_of("trn2.48xlarge")
    block = topology.render(map_of(interval, inventory), 0, 120, lambda: "no link counters exist")
    assert block.why == "the drawing is the design; traffic: no link counters exist"
    table = text(topology.neighbour_table(map_of(interval, inventory), 5, 60, lambda: "no link counters exist"))
    assert "the drawing is the design" in table
    assert table.count("\nND") == 4


def test_what_goes_forth_on_one_end_arrives_at_the_other() -> None:
    interval, inventory = shown("opt-30b")
    found = map_of(interval, inventory)
    assert found.counted
    for device in interval.devices:
        for end in device.links or ():
            link = found.link(device.device, end.peer)
            assert link is not None
            sent = link.forth_bytes_per_s if device.device == link.a else link.back_bytes_per_s
            assert sent == end.transmitted_bytes_per_s
    assert all(len(neighbours(found, device.device)) == len(device.links or ()) for device in interval.devices)


@given(st.sampled_from(TYPES), st.integers(1, 240), st.integers(1, 60), st.booleans())
def test_drawings_and_tables_fill_their_place(instance: str, width: int, height: int, known: bool) -> None:
    interval, inventory = host_of(instance, known=known)
    found = map_of(interval, inventory)
    place = Place(0, 0, width, height)
    blocks = (
        topology.render(found, 0, width, str),
        topology.neighbour_table(found, 0, width, str),
        memory.devices(interval, 0, quantities.binary, width, str),
        memory.owners(interval, quantities.decimal, width, str),
        memory.bank_map(BUSY, 0, {}, quantities.binary, place.inner, ""),
    )
    for block in blocks:
        lines, _ = compose(block, place)
        assert {width_of(line.spans) for line in lines} == {width}


BUSY = Host("opt-30b").allocations(0)


@st.composite
def bank_maps(draw: st.DrawFn) -> BankMap:
    sizes = draw(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 100), st.integers(1, 3)), max_size=12))
    reserved = draw(st.integers(0, 30))
    end, blocks = reserved, []
    for gap, size, pid in sizes:
        blocks.append(Allocation(end + gap, size, size, pid, 0, "tensors", "", "main"))
        end += gap + size
    total = end + draw(st.integers(1, 500))
    return BankMap(index=0, total_bytes=total, reserved_bytes=reserved, allocations=tuple(blocks))


@given(bank_maps(), st.integers(1, 80))
def test_a_bank_map_is_its_allocations(bank: BankMap, stretches: int) -> None:
    allocations = Allocations(device=0, time_ns=1, banks=(bank,))
    (view,) = views(allocations, stretches)
    assert len(view.owners) == stretches
    assert view.used_bytes == bank.reserved_bytes + sum(block.size for block in bank.allocations)
    holders = {block.pid for block in bank.allocations} | ({RESERVED} if bank.reserved_bytes else set())
    assert set(view.owners) - {FREE} <= holders
    edges = [(0, bank.reserved_bytes), *((block.address, block.address + block.size) for block in bank.allocations)]
    starts = [start for start, _ in edges[1:]] + [bank.total_bytes]
    gaps = [start - end for (_, end), start in zip(edges, starts, strict=True)]
    assert view.largest_free_bytes == max(gaps)
    assert held(allocations).keys() == {block.pid for block in bank.allocations}
    assert sum(held(allocations).values()) == view.used_bytes - bank.reserved_bytes


@pytest.mark.slow
def test_the_page_of_memory_has_devices_processes_banks_and_the_tree() -> None:
    async def test() -> None:
        async with running(Host("opt-30b"), (160, 50)) as (app, pilot):
            await pilot.press("m")
            assert isinstance(app.page, MemoryScreen)
            await until(lambda: any("free, largest" in line for line in page(app)))
            assert any("AAA 4096 opt-30b-0" in line for line in page(app))
            await pilot.press("down", "down", "down", "down")
            await until(lambda: any("AAA 4157 opt-30b-1" in line for line in page(app)))
            assert app.page.device == 4
            await pilot.press("v", "right")
            assert any("Memory Usage Details" in line for line in page(app))
            assert any("of its capacity" in line or "Device Memory" in line for line in page(app))

    run(test)


@pytest.mark.slow
def test_the_page_of_the_topology_walks_from_device_to_device() -> None:
    async def test() -> None:
        async with running(Host("idle", "trn2.48xlarge"), (160, 50)) as (app, pilot):
            await pilot.press("t")
            assert isinstance(app.page, TopologyScreen)
            for key, device in (("right", 1), ("down", 5), ("left", 4), ("left", 4), ("up", 0), ("a", 15), ("d", 0)):
                await pilot.press(key)
                assert app.page.device == device, key
            assert any("Device 0" in line and "4 neighbours" in line for line in page(app))

    run(test)
