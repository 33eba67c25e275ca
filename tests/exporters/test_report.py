"""neuron-monitor's document: goldens of every instance type and group, sums, units, and what cannot be known."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from neurontools.exporters.report import (
    GROUPS,
    RUNTIME_GROUPS,
    SYSTEM_GROUPS,
    Group,
    Report,
    Runtime,
    decode,
    encode,
    extended,
    hardware_info,
    instance_info,
    inventory_of,
    needed,
    needed_kind,
    whole,
)
from neurontools.hardware.instances import INSTANCES
from neurontools.schema import document as schema
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Gap, Snapshot
from tests.conftest import Golden
from tests.exporters.nodes import interval_of, inventory_for, reading, report_of
from tests.schema.strategies import series

TRN2 = INSTANCES["trn2.48xlarge"]
TRN1 = INSTANCES["trn1.2xlarge"]


def document(report: Report) -> Any:
    return json.loads(encode(report))


def of(name: str, groups: tuple[str, ...] = GROUPS) -> Any:
    instance = INSTANCES[name]
    return document(report_of(inventory_for(instance), interval_of(instance), groups))


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_type(name: str, golden: Golden) -> None:
    instance = INSTANCES[name]
    report = report_of(inventory_for(instance), interval_of(instance))
    golden(f"neuron-monitor/{name}.jsonl", encode(report).decode() + "\n")


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_alone(group: str, golden: Golden) -> None:
    report = report_of(inventory_for(TRN2), interval_of(TRN2), (group,))
    alone = document(report)
    parts = [alone["system_data"], *(runtime["report"] for runtime in alone["neuron_runtime_data"])]
    assert {name for part in parts for name in part} == {group}
    golden(f"neuron-monitor/group.{group}.json", json.dumps(alone, indent=1) + "\n")


def test_the_keys_are_in_the_official_order() -> None:
    line = of("trn2.48xlarge")
    assert list(line) == ["neuron_runtime_data", "system_data", "instance_info", "neuron_hardware_info"]
    assert list(line["system_data"]) == sorted(SYSTEM_GROUPS)
    runtime = line["neuron_runtime_data"][0]
    assert list(runtime) == ["pid", "neuron_runtime_tag", "error", "report"]
    assert list(runtime["report"]) == sorted(RUNTIME_GROUPS)
    vcpus = list(line["system_data"]["vcpu_usage"]["usage_data"])
    assert vcpus[:4] == ["0", "1", "10", "11"]
    assert vcpus == sorted(vcpus)


@pytest.mark.parametrize("name", INSTANCES)
def test_the_parts_add_up_to_the_whole(name: str) -> None:
    interval = interval_of(INSTANCES[name])
    for runtime, process in zip(of(name)["neuron_runtime_data"], interval.processes, strict=True):
        used = runtime["report"]["memory_used"]["neuron_runtime_used_bytes"]
        breakdown = used["usage_breakdown"]
        assert used["host"] == sum(breakdown["host"].values()) == process.host_memory_bytes
        by_core = breakdown["neuroncore_memory_usage"]
        assert used["neuron_device"] == sum(sum(core.values()) for core in by_core.values())
        assert used["neuron_device"] == process.memory_used_bytes
        cores = runtime["report"]["neuroncore_counters"]["neuroncores_in_use"]
        assert list(cores) == list(by_core) == sorted(cores)
        mean = sum(core["neuroncore_utilization"] for core in cores.values()) / len(cores)
        assert mean == pytest.approx(process.utilization_percent)
        assert sum(core["flops"] for core in cores.values()) == pytest.approx(process.flops_per_s)


def test_every_core_of_a_model_has_its_subgraph() -> None:
    (model,) = of("trn2.48xlarge")["neuron_runtime_data"][1]["report"]["memory_used"]["loaded_models"]
    places = [(part["neuron_device_index"], part["neuroncore_index"]) for part in model["subgraphs"].values()]
    assert list(model["subgraphs"]) == ["sg_00", "sg_01", "sg_02", "sg_03"]
    assert places == [(1, 0), (1, 1), (1, 2), (1, 3)]
    for part in model["subgraphs"].values():
        used = part["memory_used_bytes"]
        assert used["neuron_device"] == sum(used["usage_breakdown"]["neuron_device"].values()) > 0
        assert used["host"] == sum(used["usage_breakdown"]["host"].values()) > 0


def test_logical_cores_show_their_physical_ones_on_trn2_only() -> None:
    cores = of("trn2.48xlarge")["neuron_runtime_data"][0]["report"]["neuroncore_counters"]["neuroncores_in_use"]
    for core in cores.values():
        parts = core["v3d"]
        assert list(parts) == ["nc_v3.0", "nc_v3.1"]
        mean = sum(part["neuroncore_utilization"] for part in parts.values()) / 2
        assert core["neuroncore_utilization"] == pytest.approx(mean)
    inventory, interval = inventory_for(TRN2), interval_of(TRN2)
    one_to_one = report_of(inventory._replace(logical_neuroncore_config=1), interval)
    assert one_to_one.hardware.neuroncore_version == "v3"
    assert b"v3d" not in encode(one_to_one)
    others = [INSTANCES[name] for name in INSTANCES if not name.startswith("trn2")]
    assert others
    assert not [i.name for i in others if b'"v3d"' in encode(report_of(inventory_for(i), interval_of(i)))]


def test_numbers_are_written_as_go_writes_them() -> None:
    line = encode(report_of(inventory_for(TRN2), interval_of(TRN2, seconds=3)))
    assert b'"period":3,' in line
    assert b".0," not in line and b".0}" not in line
    assert b'"neuroncore_utilization":6.25,' in line
    assert b'"flops":1000000000000,"effective_flops":1000000000000' in line
    second = Group(None, 4_999_728_315, "x")
    report = report_of(inventory_for(TRN2), interval_of(TRN2))._replace(system={"memory_info": second})
    # The last bit is that of whole seconds plus a fraction, which is how Go makes a float of a duration.
    assert b'"period":4.9997283150000005,' in encode(report)


def test_the_tag_is_the_pid_where_there_is_none() -> None:
    tags = [runtime["neuron_runtime_tag"] for runtime in of("trn1.32xlarge")["neuron_runtime_data"]]
    assert tags == ["tag-4000", "4001"]


def test_latency_is_null_when_nothing_ran() -> None:
    first, second = of("trn1.32xlarge", ("execution_stats",))["neuron_runtime_data"]
    stats = first["report"]["execution_stats"]["latency_stats"]
    assert list(stats["total_latency"]) == ["p0", "p1", "p100", "p25", "p50", "p75", "p99"]
    assert stats["total_latency"]["p50"] == pytest.approx(0.003, rel=0.01)
    assert stats["total_latency"]["p99"] == pytest.approx(0.009, rel=0.01)
    assert second["report"]["execution_stats"]["latency_stats"] == {"total_latency": None, "device_latency": None}


def test_a_group_without_an_interval_says_why_and_has_no_numbers() -> None:
    groups = dict.fromkeys(GROUPS, Group(None, 0, "the node was booted"))
    inventory = inventory_for(TRN1)
    runtime = Runtime(1, "1", {name: groups[name] for name in RUNTIME_GROUPS})
    system = {name: groups[name] for name in SYSTEM_GROUPS}
    line = document(Report(instance_info(inventory), hardware_info(inventory), (runtime,), system))
    parts = line["system_data"] | line["neuron_runtime_data"][0]["report"]
    assert set(parts) == set(GROUPS)
    assert {part["error"] for part in parts.values()} == {"the node was booted"}
    assert {part["period"] for part in parts.values()} == {0}
    assert parts["neuroncore_counters"]["neuroncores_in_use"] == {}


def test_what_a_source_does_not_supply_is_an_error_of_its_group() -> None:
    interval = interval_of(TRN1)
    (process,) = interval.processes
    gaps = {"executions": Gap(reason="only the runtime knows")}
    blind = replace(
        interval,
        head=replace(interval.head, gaps=gaps),
        processes=(replace(process, executions=None, vcpu_user_percent=None),),
        cores=tuple(replace(core, utilization_percent=None) for core in interval.cores),
        devices=tuple(replace(device, ecc=None) for device in interval.devices),
        host=None,
    )
    line = document(report_of(inventory_for(TRN1), blind))
    parts = line["system_data"] | line["neuron_runtime_data"][0]["report"]
    unknown = "this source does not supply it"
    assert {name: part["error"] for name, part in parts.items()} == {
        **dict.fromkeys(("memory_info", "neuron_hw_counters", "vcpu_usage"), unknown),
        "execution_stats": "only the runtime knows",
        "memory_used": "",
        "neuron_runtime_vcpu_usage": unknown,
        "neuroncore_counters": unknown,
    }


def test_simulated_hosts_are_marked() -> None:
    info = of("inf2.48xlarge")["instance_info"]
    assert info["instance_id"] == "i-00000000000000000"
    assert info["instance_name"].startswith("simulated:")
    assert info["instance_region"] == info["instance_availability_zone"] == "simulated"


@given(series(2))
def test_a_reading_without_what_is_not_shown_gives_the_same_document(taken: tuple[Snapshot, Snapshot]) -> None:
    inventory = inventory_for(TRN2)
    full, slim = between(*taken), between(needed(taken[0]), needed(taken[1]))
    assert encode(report_of(inventory, full)) == encode(report_of(inventory, slim))
    read = between(*[schema.decode(needed_kind(), schema.encode(snapshot)) for snapshot in taken])
    assert encode(report_of(inventory, full)) == encode(report_of(inventory, read))


@given(series(2))
def test_decoding_is_the_inverse_of_encoding(taken: tuple[Snapshot, Snapshot]) -> None:
    lnc = taken[1].head.logical_neuroncore_config
    inventory = inventory_for(TRN2)._replace(logical_neuroncore_config=lnc)
    line = encode(report_of(inventory, between(*taken)))
    assert encode(decode(line)) == line


@pytest.mark.parametrize("name", INSTANCES)
def test_decoding_finds_the_interval_again(name: str) -> None:
    inventory, interval = inventory_for(INSTANCES[name]), interval_of(INSTANCES[name])
    report = decode(encode(report_of(inventory, interval)), time_ns=7)
    again = whole(report)
    assert again.head.origin.simulated
    assert (again.head.time_ns, again.head.origin.scenario, again.duration_ns) == (7, "made", interval.duration_ns)
    _check_same_processes(again, interval)
    _check_same_hardware(inventory_of(report), inventory)


def _check_same_processes(again: Interval, interval: Interval) -> None:
    held = {core for process in interval.processes for core in process.cores}
    known = {core.core: core for core in interval.cores if core.core in held}
    assert {core.core: core.utilization_percent for core in again.cores} == {
        number: core.utilization_percent for number, core in known.items()
    }
    assert [core.parts for core in again.cores] == [known[core.core].parts for core in again.cores]
    for process, before in zip(again.processes, interval.processes, strict=True):
        assert (process.pid, process.cores) == (before.pid, before.cores)
        assert process.memory_used_bytes == before.memory_used_bytes
        assert (process.errors or {}).items() >= (before.errors or {}).items()


def _check_same_hardware(again: Inventory, inventory: Inventory) -> None:
    # A document does not say where it was read, nor whether somebody assumed the size of its cores.
    assert again._replace(origin=inventory.origin, lnc_assumed=inventory.lnc_assumed) == inventory


def test_the_extended_key_comes_last_and_holds_what_the_format_has_no_place_for() -> None:
    interval = interval_of(TRN2)
    report = report_of(inventory_for(TRN2), interval)
    line = document(report._replace(extended=extended(interval)))
    assert list(line)[-1] == "neurontools"
    ours = line["neurontools"]
    assert ours["origin"]["simulated"] is True
    assert ours["cores"][3]["engines_percent"]["gpsimd"] == 25
    assert ours["cores"][0]["memory"]["collectives"] > 0
    assert ours["devices"][1]["links"][0]["transmitted_bytes_per_s"] == 1000
    assert len(ours["devices"][0]["banks"]) == 4
    assert ours["devices"][0]["power_avg_percent"] == 12.5
    assert ours["workloads"][0]["generated_tokens_per_s"] == 50
    assert decode(encode(report._replace(extended=ours))).extended == ours


def test_no_interval_is_no_report() -> None:
    with pytest.raises(NoInterval):
        between(reading(TRN1, 1), reading(TRN1, 2, boot_id="another"))
    assert msgspec.json.decode(encode(Report(instance_info(inventory_for(TRN1)), hardware_info(inventory_for(TRN1)))))
