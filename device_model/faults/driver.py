"""Faults of the driver: it is missing, too old, or lets nobody read its files."""

from device_model.faults.effects import at, on_cores, on_devices
from device_model.faults.fault import Change, Fault, Parameters, Target, Undo, version
from device_model.runtime.runtime import Runtime
from neurontools.hardware.driver import HEALTH_FAMILIES, LIVE_COUNTERS_SINCE

FIRST_VERSION = "2.8.4"
"""The first driver whose names of counters are today's."""


def _missing(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    driver = runtime.node.driver
    driver.missing_by.add(id)
    for process in list(runtime.processes.values()):
        runtime.end(time_ns, process, "exit status 1 (NRT_FAILURE)")
    return lambda _: driver.missing_by.remove(id)


def _old(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    driver = runtime.node.driver
    driver.version_by[id] = parameters["version"]

    def undo(_: int) -> None:
        del driver.version_by[id]

    return undo


def _unreadable(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    driver = runtime.node.driver
    driver.unreadable_by.add(id)
    return lambda _: driver.unreadable_by.remove(id)


def _gaps(*parts: str) -> tuple[Change, ...]:
    return at("node", *(f"head/gaps/{part}" for part in parts))


_CORE_FIELDS = (
    *("busy_ns", "collectives_ns", "engines", "flops", "hbm_read_bytes", "hbm_written_bytes", "host_memory"),
    *("device_memory", "memory", "status", "other_info", "pe_cntrs"),
)
_NEWER_STATUSES = (
    *("execute_sw_event_error", "execute_sw_psum_collision", "execute_sw_semaphore_error"),
    *("execute_sw_sequencer_fatal", "hw_repairable_hbm_ue_error"),
)
_NEWER_ECC = ("mem_ecc_repairable_uncorrected", "mem_ecc_corrected", "sram_ecc_corrected")
_HEALTH = (
    *("hbm_ecc_err_count", "repairable_hbm_ecc_err_count", "sram_ecc_err_count"),
    *("hw_error_event", "unhealthy_components", "healthcheck_heartbeat"),
)
_DEVICE_FIELDS = ("banks/*", "links", "host_memory", "ecc", "power", "reset_state", "serial_number")

FAULTS = (
    Fault(
        name="driver-missing",
        target="node",
        lasting=True,
        shows=(
            "No tool finds any device, and says that the driver is not loaded.",
            "All processes that use the devices end; those that start end at once.",
        ),
        recovery="Load the driver; to heal the fault stands for that. Counters go on where they were in the model.",
        changes=(
            *at("node", "devices/*", "processes/*", "inventory/devices/*"),
            *at("processes", "allocations/*/banks/*/allocations", "events/process_end"),
            *at("node", "inventory/gaps/*", "host/context_switches", "host/memory_used_bytes"),
            *at("processes", *(f"host/cpus/*/{kind}" for kind in ("user", "system", "idle"))),
            *_gaps("device", "core", "bank", "link", "ecc", "utilization_percent"),
        ),
        begin=_missing,
    ),
    Fault(
        name="driver-old",
        target="node",
        lasting=True,
        shows=("What only newer drivers have is unknown, with the version that has it.",),
        recovery="Install a newer driver; to heal the fault stands for that.",
        changes=(
            *on_cores("node", "busy_ns", "pe_cntrs", "other_info/nc_time_in_use"),
            *on_cores("node", *(f"status/{name}" for name in _NEWER_STATUSES)),
            *on_devices("node", "power", *(f"ecc/{name}" for name in _NEWER_ECC)),
            *(Change("devices/*/health", "node", HEALTH_FAMILIES),),
            *_gaps("busy_ns", "utilization_percent", "core_utilization_percent", "nc_time_in_use", "pe_cntrs", "power"),
            *_gaps(*_NEWER_STATUSES, *_NEWER_ECC),
            *(Change(f"head/gaps/{name}", "node", HEALTH_FAMILIES) for name in _HEALTH),
        ),
        begin=_old,
        parameters=(version("version", "2.20.28", FIRST_VERSION, LIVE_COUNTERS_SINCE, "the driver that is installed"),),
    ),
    Fault(
        name="sysfs-unreadable",
        target="node",
        lasting=True,
        shows=("Devices are there, but nothing that the driver says of them can be read: permission denied.",),
        recovery="Make the driver's files readable; to heal the fault stands for that.",
        changes=(
            *on_cores("node", *_CORE_FIELDS),
            *on_devices("node", *_DEVICE_FIELDS),
            *(Change("devices/*/health", "node", HEALTH_FAMILIES),),
            *at("node", "inventory/devices/*", "inventory/gaps/*"),
            *_gaps("device", "core", "bank", "link", "ecc", "utilization_percent"),
        ),
        begin=_unreadable,
    ),
)
