"""The tree and the socket say the same of one instant: every number of a snapshot that a driver's file shows."""

import re
from functools import cache
from typing import Any

import pytest

from device_model.publish.tree.dialect import dialect
from device_model.simulation import Simulation
from neurontools.hardware.driver import LIVE_COUNTERS_SINCE, RESET_STATES, version_tuple
from neurontools.hardware.instances import INSTANCES, chip_of, lookup
from neurontools.schema.snapshot import Counter, Device, MemoryUse, PeRow, Power
from tests.device_model.hosts import forward, host, server
from tests.device_model.publish.tree.trees import Found, planned

DIALECTS = ("2.21", "2.24", "2.30.2")
SMALL = ("inf1.xlarge", "inf2.8xlarge", "trn1.2xlarge", "trn2.3xlarge")

# What a driver's file cannot show, or not at the same instant, and why.
OF_THE_MODEL_ALONE = {
    "busy_ns": "credited as nc_time_in_use when an execution completes, in µs",
    "collectives_ns": "no driver counts it",
    "engines": "no driver counts it; pe_cntrs has cycles of the tensor engine",
    "flops": "shown as flop_count",
    "hbm_read_bytes": "no driver counts it",
    "hbm_written_bytes": "no driver counts it",
    "banks": "no driver shows them",
    "links": "no driver counts their bytes; connected_devices has the design",
}
NOT_EVERY_DRIVER = {"status", "other_info", "pe_cntrs", "health", "ecc", "power"}
"""Not live, or not there at all, with older drivers or on some chips; which files there are is checked elsewhere."""
PLACE = {"core": "number over the host", "index": "its directory", "cores": "directories"}


@cache
def busy(instance: str) -> Simulation:
    """A host on which memory errors were counted and a process has ended, another runs, and power is known."""
    model = "opt-125m" if instance.startswith("inf1") else "opt-1.3b"
    tp = 2 if instance.startswith("trn2") or instance.startswith("trn3") else 1
    two = (server("a", model=model, tp=tp, stop="70s"), server("b", model=model, tp=tp, start="72s"))
    made = forward(host(*two, instance=instance), 65)
    if not instance.startswith("inf1"):
        made.inject("hbm-corrected", {"core": 0}, {"rate": 36_000.0})
        made.inject("sram-corrected", {"core": 1}, {"rate": 7_200.0})
    return forward(made, 70)


def number(text: str) -> int | None:
    """A file that holds one number."""
    return int(text) if re.fullmatch(r"-?\d+\n", text) else None


def below(tree: dict[str, Found], directory: str) -> dict[str, str]:
    """The texts of the files below a directory, by path there."""
    return {path[len(directory) + 1 :]: found.text for path, found in tree.items() if path.startswith(f"{directory}/")}


def counters(files: dict[str, str], group: str) -> dict[str, Counter]:
    """All counters of a group as the files show them."""
    names = {path.split("/")[2] for path in files if path.startswith(f"stats/{group}/")}
    return {name: Counter(*(number(files[f"stats/{group}/{name}/{file}"]) or 0 for file in ("total", "present")))
            for name in names}  # fmt: skip


def memory(files: dict[str, str], directory: str) -> MemoryUse:
    """A memory counter as its three files show it."""
    return MemoryUse(
        *(number(files[f"stats/memory_usage/{directory}/{file}"]) for file in ("total", "present", "peak"))
    )


def categories(files: dict[str, str], pool: str) -> dict[str, MemoryUse]:
    """All categories of a pool of memory."""
    names = {path.split("/")[3] for path in files if re.match(rf"stats/memory_usage/{pool}/\w+/", path)}
    return {name: memory(files, f"{pool}/{name}") for name in names}


def shown_by_core(files: dict[str, str], live: bool) -> dict[str, Any]:
    """What a core's files say, by the field of a snapshot's core."""
    shown: dict[str, Any] = {
        "memory": categories(files, "device_mem"),
        "host_memory": memory(files, "host_mem"),
        "device_memory": memory(files, "device_mem"),
    }
    if live:
        shown |= {"status": counters(files, "status"), "other_info": counters(files, "other_info")}
    if (table := files.get("stats/tensor_engine/pe_cntrs")) is not None:
        lines = [tuple(map(int, line.split(","))) for line in table.splitlines()[1:]]
        assert [line[0] for line in lines] == [0, 1, 2, 3]
        shown["pe_cntrs"] = tuple(PeRow(*line[1:]) for line in lines)
    return shown


def shown_by_device(files: dict[str, str], device: Device) -> dict[str, Any]:
    """What a device's files say, by the field of a snapshot's device."""
    shown: dict[str, Any] = {
        "host_memory": categories(files, "host_mem"),
        "reset_state": RESET_STATES[int(files["reset"])].lower(),
    }
    hardware = {path.removeprefix("stats/hardware/"): text for path, text in files.items() if "hardware/" in path}
    if hardware:
        shown["serial_number"] = files["info/serial_number"].strip()
        shown["ecc"] = {name: number(text) for name, text in hardware.items() if "/" not in name}
    if health := {name.split("/")[1]: text for name, text in hardware.items() if "/" in name}:
        shown["health"] = {
            name: text.strip() if name == "unhealthy_components" else number(text) for name, text in health.items()
        }
    shown["power"] = power(files["stats/power/utilization"])
    if device.power is None:
        assert shown.pop("power") == Power(status="POWER_STATUS_NO_DATA"), "a chip whose power is not known"
    return shown


def power(text: str) -> Power:
    """The power of a minute as its file shows it."""
    status, epoch, low, high, mean = text.strip().split(",")
    percents = {"min_percent": float(low), "max_percent": float(high), "avg_percent": float(mean)}
    return Power(status=status, epoch_s=int(epoch), **percents)


def check_agreement(instance: str, version: str) -> None:
    model = busy(instance)
    full = dialect(version, lookup(instance))
    tree, snapshot = planned(model, version), model.snapshot()
    live = version_tuple(full) >= version_tuple(LIVE_COUNTERS_SINCE)
    for device in snapshot.devices:
        home = f"sys/devices/virtual/neuron_device/neuron{device.index}"
        files = below(tree, home)
        check_record(device, shown_by_device(files, device))
        for core in device.cores:
            shown = shown_by_core(below(tree, f"{home}/neuron_core{core.index}"), live)
            check_record(core, shown)
            if live:
                assert shown["other_info"]["flop_count"].total == core.flops
                in_use = shown["other_info"]["nc_time_in_use"].total
                assert in_use <= (core.busy_ns or 0) // 1000


def check_record(record: Any, shown: dict[str, Any]) -> None:
    """Every field is shown and the same, or one of those that a driver does not show; of a mapping what it has."""
    for field, value in shown.items():
        known = getattr(record, field)
        if isinstance(value, dict):
            known = {name: entry for name, entry in known.items() if name in value}
        assert value == known, field
    missing = set(record.__struct_fields__) - shown.keys()
    unknown = {field for field in missing if getattr(record, field) is None}
    assert missing <= OF_THE_MODEL_ALONE.keys() | PLACE.keys() | NOT_EVERY_DRIVER | unknown


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("instance", SMALL)
def test_the_tree_shows_what_the_socket_says(instance: str, version: str) -> None:
    if instance.startswith("inf1"):
        version = min(version, "2.24")
    check_agreement(instance, version)


@pytest.mark.slow
@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("instance", INSTANCES)
def test_the_tree_shows_what_the_socket_says_on_every_host(instance: str, version: str) -> None:
    family = chip_of(lookup(instance)).family
    if family == "Inf1":
        version = min(version, "2.24")
    elif family == "Trn3":
        version = max(version, "2.25")
    check_agreement(instance, version)


def test_the_host_that_is_compared_has_something_to_show() -> None:
    snapshot = busy("trn2.3xlarge").snapshot()
    (device,) = snapshot.devices
    assert device.power is not None
    assert device.power.avg_percent > 0
    assert (device.ecc or {})["mem_ecc_corrected"] > 0
    folded = busy("trn2.3xlarge").published("2.24.7").snapshot.devices[0].cores
    assert {(core.other_info or {})["inference_count"].total > 0 for core in folded} == {True, False}
