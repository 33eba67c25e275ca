"""What the sections show, against sums over the interval's own records."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from neurontools.exporters.report.contents import hardware_info
from neurontools.metrics import BY_NAME
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap
from neurontools.views.top.cells import FLOPS
from neurontools.views.top.memory import DEVICE_CATEGORIES, HOST_CATEGORIES, fold_device, fold_host
from neurontools.views.top.state import Contents, View, contents
from tests.views.top.crafted import host_of
from tests.views.top.hosts import shown

TYPES = ("inf1.24xlarge", "inf2.xlarge", "inf2.48xlarge", "trn1.32xlarge", "trn2.48xlarge")
MIXED = {"tensors": 1, "collectives": 2, "a_new_one": 4, "model_shared_scratchpad": 8, "nonshared_scratchpad": 16}


def all_of(host: tuple[Interval, Inventory], view: View = View()) -> Contents:  # noqa: B008 (immutable)
    return contents(*host, view)


def tab_of(interval: Interval, place: int) -> tuple[int, int]:
    process = interval.processes[place]
    return process.pid, process.started_ns


@pytest.mark.parametrize("instance", TYPES)
def test_every_logical_core_has_one_cell(instance: str) -> None:
    interval, inventory = host_of(instance)
    cells = [cell for row in all_of((interval, inventory)).cores.rows for cell in row.cells]
    assert [(cell.core, cell.value) for cell in cells] == [(c.core, c.utilization_percent) for c in interval.cores]
    assert all(cell.share == pytest.approx((cell.value or 0) / 100) for cell in cells)


def test_the_average_and_the_sum_are_of_the_cores_of_the_tab() -> None:
    interval, inventory = host_of("trn2.48xlarge", processes=3)
    everything = all_of((interval, inventory)).cores
    known = [core.utilization_percent or 0.0 for core in interval.cores]
    assert everything.version == "v3d"
    assert everything.summary == pytest.approx(sum(known) / len(known))
    own = set(interval.processes[1].cores)
    one = all_of((interval, inventory), View(tab=tab_of(interval, 1))).cores
    assert {cell.core for row in one.rows for cell in row.cells if cell.shown} == own
    assert one.summary == pytest.approx(sum(known[core] for core in own) / len(own))


@pytest.mark.parametrize("instance", [*TYPES, "trn3p.48xlarge"])
@pytest.mark.parametrize("lnc", [1, 2])
def test_the_cores_have_the_name_that_neuron_monitor_gives_them(instance: str, lnc: int) -> None:
    interval, inventory = host_of(instance, lnc=lnc) if instance.startswith(("trn2", "trn3")) else host_of(instance)
    assert all_of((interval, inventory)).cores.version == hardware_info(inventory).neuroncore_version


def test_flops_are_teraflops_and_the_bar_is_the_part_of_the_peak() -> None:
    interval, inventory = host_of("inf2.xlarge")
    flops = all_of((interval, inventory), View(mode=FLOPS)).cores
    assert [cell.value for cell in flops.rows[0].cells] == [0.0, pytest.approx(0.1)]
    assert flops.summary == pytest.approx(sum(core.flops_per_s or 0.0 for core in interval.cores) / 1e12)
    assert flops.rows[0].cells[1].share == pytest.approx(0.1 / 95)
    unknown = all_of((interval, inventory._replace(chip="a new one")), View(mode=FLOPS)).cores
    assert unknown.rows[0].cells[1].share == 1.0


def test_the_categories_take_in_all_that_the_driver_knows() -> None:
    assert fold_device(MIXED) == dict(zip(DEVICE_CATEGORIES, (1, 0, 0, 6, 24), strict=True))
    host = {"tensors": 1, "dma_rings": 2, "dma_buffers": 4, "notifications": 8}
    assert fold_host(host) == dict(zip(HOST_CATEGORIES, (1, 0, 14, 0), strict=True))


@pytest.mark.parametrize("scenario", ["two-tenants", "opt-30b"])
def test_the_memory_summary_is_the_sum_of_its_parts_and_of_the_node(scenario: str) -> None:
    interval, inventory = shown(scenario)
    memory = all_of((interval, inventory)).memory
    for use in (memory.device, memory.host):
        assert use.parts is not None
        assert use.total == sum(use.parts.values())
    assert memory.device.total == sum(core.memory_used_bytes or 0 for core in interval.cores)
    assert memory.device.total == sum(device.memory_used_bytes or 0 for device in interval.devices)
    assert memory.host.total == sum(device.host_memory_bytes or 0 for device in interval.devices)


def test_the_processes_are_the_node_without_what_belongs_to_nobody() -> None:
    interval, inventory = shown("two-tenants")
    node = all_of((interval, inventory))
    tabs = [all_of((interval, inventory), View(tab=tab.key)) for tab in node.tabs[1:]]
    of_drivers = sum((core.memory or {})["driver_memory"] for core in interval.cores)
    assert sum(tab.memory.device.total or 0 for tab in tabs) == (node.memory.device.total or 0) - of_drivers
    assert sum(tab.memory.host.total or 0 for tab in tabs) == node.memory.host.total
    runtimes = [tab.vcpu.runtime for tab in tabs]
    assert node.vcpu.runtime is not None
    for kind, whole in enumerate(node.vcpu.runtime):
        assert whole == pytest.approx(sum(runtime[kind] for runtime in runtimes if runtime))
    rates = [tab.title.tokens_per_s or 0.0 for tab in tabs]
    assert node.title.tokens_per_s == pytest.approx(sum(rates))


def test_waiting_for_the_kernel_is_system_time() -> None:
    interval, inventory = host_of("inf2.xlarge")
    assert all_of((interval, inventory)).vcpu.system == (25.0, 12.5)


def test_simulated_data_is_marked_and_real_data_is_not() -> None:
    assert all_of(shown()).title.marks == ("SIMULATED",)
    assert all_of(shown()).title.scenario == "two-tenants"
    interval, inventory = host_of("inf2.xlarge")
    assert all_of((interval, inventory._replace(simulated=False))).title.marks == ()


def test_what_is_unknown_says_why_and_is_never_0() -> None:
    unknown = all_of(host_of("inf2.xlarge", known=False))
    cells = [cell for row in unknown.cores.rows for cell in row.cells]
    assert [cell.value for cell in cells] == [None, None]
    assert unknown.cores.summary is None
    assert unknown.cores.why_unknown == BY_NAME["core_utilization_percent"].supplied_by["sysfs"].note
    assert unknown.vcpu == (None, None, "the source did not report it")
    assert unknown.memory.device.total is None
    assert unknown.memory.host.total is None
    assert unknown.memory.why_unknown
    assert [tab.name for tab in unknown.tabs] == ["all"]
    assert unknown.why_no_tabs
    told = all_of(host_of("inf2.xlarge", known=False, gap="the files are gone"))
    assert told.cores.why_unknown == "the files are gone"


def test_processes_that_may_not_be_looked_into_leave_their_vcpu_share_unknown() -> None:
    interval, inventory = shown()
    gaps = {"process_vcpu_user_percent": Gap(reason="they are other users'")}
    hidden = replace(interval, processes=(), processes_known=False, head=replace(interval.head, gaps=gaps))
    vcpu = all_of((hidden, inventory)).vcpu
    assert vcpu.system is not None
    assert (vcpu.runtime, vcpu.why_unknown) == (None, "they are other users'")


def test_a_device_without_a_reading_has_unknown_cores() -> None:
    interval, inventory = host_of("inf2.48xlarge")
    rows = all_of((Interval(head=interval.head, duration_ns=interval.duration_ns), inventory)).cores.rows
    assert [(row.device, [cell.core for cell in row.cells]) for row in rows[:2]] == [(0, [0, 1]), (1, [2, 3])]
    assert {cell.value for row in rows for cell in row.cells} == {None}


def test_a_tab_for_each_process_and_none_of_them_can_move_the_cursor() -> None:
    interval, inventory = host_of("trn1.32xlarge", processes=4)
    tabs = all_of((interval, inventory), View(tab=tab_of(interval, 1))).tabs
    assert [tab.name for tab in tabs] == ["all", "5000", "5001", "5002", "5003"]
    assert [tab.current for tab in tabs] == [False, False, True, False, False]
    assert all(tab.tag.isprintable() for tab in tabs)


def test_the_tab_of_a_process_that_ended_shows_all() -> None:
    gone = all_of(shown(), View(tab=(1, 1)))
    assert gone == all_of(shown())


def test_a_past_that_nobody_knows_is_not_drawn() -> None:
    interval, inventory = host_of("inf2.xlarge")
    trends = {0: "    ", 1: "0 0420"}
    cells = contents(interval, inventory, View(), trends).cores.rows[0].cells
    assert [cell.trend for cell in cells] == ["", "420"]
