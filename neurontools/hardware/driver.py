"""The Neuron driver's sysfs interface as data: every file with its mode, format and the driver versions that have it.

A reader of a host and a writer of a tree are loops over `ATTRIBUTES` and `LINKS`; facts that AWS published in a release
note only are marked `certain=False`. Source: the open-source kernel driver 2.21 to 2.29, release notes of 2.30.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

SYSFS_ROOT = "/sys"
DIRECTORIES = {
    "module": "module/neuron",
    "class": "class/neuron_device",
    "device": "devices/virtual/neuron_device/neuron{device}",
    "core": "devices/virtual/neuron_device/neuron{device}/neuron_core{core}",
    "pci": "bus/pci/devices/{bdf}",
    "dmi": "class/dmi/id",
}
"""Where the paths of each scope start, below the root of sysfs."""
PCI_DRIVER_DIRECTORY = "bus/pci/drivers/neuron-driver"
"""Holds a link named as its PCI address for every function that the driver has bound."""
CORE_DIRECTORY_PREFIX = "neuron_core"
DEVICE_NODE = "/dev/neuron{device}"
PCI_VENDOR_ID = 0x1D0F
MAX_DEVICES = 64
"""Minor numbers of /dev/neuronN; the minor is the device index."""
MAX_PROCESSES_PER_DEVICE = 16

LIVE_COUNTERS_SINCE = "2.30.2"
"""Before this driver the counters that the runtime keeps move in sysfs only when a process closes the device."""
COUNTER_BITS = 64
"""Counters are printed as unsigned numbers of this width (`%llu`), so they wrap there."""
SRAM_ECC_BITS = 16
"""SRAM error counts wrap at this width."""
POWER_VALID = "POWER_STATUS_VALID"
POWER_NO_DATA = "POWER_STATUS_NO_DATA"
POWER_STATUSES = (POWER_VALID, POWER_NO_DATA, "POWER_STATUS_INVALID")
"""The first word of the file `stats/power/utilization`."""
RESET_STATES = ("RESET", "READY", "INVALID")
"""By the number in the file `reset`."""
ULTRASERVER_MODES = {1: "X4", 2: "X2H", 3: "X2V", 4: "X1"}

PLATFORMS = {
    "trn2p.48xlarge": "ultraserver",
    "trn2u.48xlarge": "ultraserver",
    "trn2eu.48xlarge": "ultraserver",
    "trn2u-ac.24xlarge": "ultraserver",
    "trn3p.48xlarge": "ultraserver",
    "trn2es.48xlarge": "pds",
    "trn3.48xlarge": "pds",
    "trn3s.48xlarge": "pds",
    "trn3e.24xlarge": "max",
}
"""The driver's platform by DMI product name; every other instance type is "standard"."""
STANDARD, ULTRASERVER = "standard", "ultraserver"

STATUS_NAMES = {
    "success": "2.8.4",
    "failure": "2.8.4",
    "timeout": "2.8.4",
    "exec_bad_input": "2.8.4",
    "hw_error": "2.8.4",
    "execute_completed_with_error": "2.8.4",
    "execute_completed_with_num_error": "2.8.4",
    "generic_error": "2.8.4",
    "resource_error": "2.8.4",
    "resource_nc_error": "2.8.4",
    "execute_failed_to_queue": "2.8.4",
    "invalid_error": "2.8.4",
    "unsupported_neff_version": "2.8.4",
    "oob_error": "2.16.7",
    "hw_collectives_error": "2.19.64",
    "hw_hbm_ue_error": "2.19.64",
    "hw_nc_ue_error": "2.19.64",
    "hw_dma_abort_error": "2.19.64",
    "execute_sw_nq_overflow": "2.20.28",
    "execute_sw_semaphore_error": "2.21.37",
    "execute_sw_event_error": "2.21.37",
    "execute_sw_psum_collision": "2.21.37",
    "execute_sw_sequencer_fatal": "2.21.37",
    "hw_repairable_hbm_ue_error": "2.23.9",
}
"""Per core: executions by outcome -> the first driver that has the counter."""
OLDER_STATUS_NAMES = {
    "execute_completed_with_error": "infer_completed_with_error",
    "execute_completed_with_num_error": "infer_completed_with_num_error",
    "execute_failed_to_queue": "infer_failed_to_queue",
}
"""What some of them were called before 2.8.4, and still are in AWS's guide to this interface."""
OTHER_INFO = {
    "model_load_count": "2.8.4",
    "reset_req_count": "2.8.4",
    "reset_fail_count": "2.8.4",
    "inference_count": "2.8.4",
    "flop_count": "2.12.11",
    "nc_time_in_use": "2.21.37",
}
"""Per core: further counters -> the first driver that has them. nc_time_in_use is in µs, flop_count 2 per MAC."""
DRIVER_KEPT_OTHER_INFO = ("reset_req_count", "reset_fail_count")
HOST_MEMORY = {
    "dma_buffers": "2.10.11",
    "tensors": "2.10.11",
    "constants": "2.10.11",
    "application_memory": "2.10.11",
    "driver_memory": "2.17.17",
    "notifications": "2.17.17",
    "dma_rings": "2.18.12",
    "uncategorized": "2.17.17",
}
"""Per device: categories of host memory -> the first driver that has them."""
CORE_MEMORY = {
    "model_code": "2.10.11",
    "tensors": "2.10.11",
    "constants": "2.10.11",
    "model_shared_scratchpad": "2.10.11",
    "runtime_memory": "2.10.11",
    "driver_memory": "2.17.17",
    "collectives": "2.17.17",
    "nonshared_scratchpad": "2.17.17",
    "notifications": "2.17.17",
    "dma_rings": "2.18.12",
    "uncategorized": "2.17.17",
}
"""Per core: categories of device memory -> the first driver that has them."""
MEMORY_FILES = ("total", "present", "peak")
"""In use now, size of the last allocation or release, high-water mark."""
ECC_COUNTERS = {
    "sram_ecc_uncorrected": "2.14.5",
    "mem_ecc_uncorrected": "2.14.5",
    "mem_ecc_repairable_uncorrected": "2.23.9",
    "sram_ecc_corrected": "2.30.2",
    "mem_ecc_corrected": "2.30.2",
}
"""Per device: memory errors by kind -> the first driver that counts them."""
COUNTER_FILES = ("total", "present")
"""Sum since the driver was loaded (or the file written to), and the last increment."""
HEALTH_FILES = (
    "hbm_ecc_err_count",
    "repairable_hbm_ecc_err_count",
    "sram_ecc_err_count",
    "hw_error_event",
    "unhealthy_components",
    "healthcheck_heartbeat",
)
KERNEL = "kernel"
"""Stands for a version in what the kernel itself or its PCI and DMI code provides."""

_FAMILIES = ("Inf1", "Inf2", "Trn1", "Trn2", "Trn3")
_NOT_INF1 = _FAMILIES[1:]
HEALTH_FAMILIES = ("Trn2", "Trn3")
FIRST_DRIVERS = {"Trn2": "2.16.7", "Trn3": "2.25"}
"""Chip families that came later than today's names of counters -> the first driver that knows them."""
DROPPED_IN = {"Inf1": "2.25"}
"""Chip families that have no newer driver -> the first one without them."""
RELEASES = ("2.16.7", "2.20.28", "2.21.37", "2.22.2", "2.23.9", "2.24.7", "2.25.4", "2.26.5", "2.27.4", "2.30.2")
"""Drivers of which the full number is known, one for each minor version; the last is the newest that is described."""


def driver_for(family: str, version: str) -> str | None:
    """The driver that a chip family needs, where a version has no support for it: "2.24", "2.25 or later".

    None where it has, as far as is known, and for what is no version. Source: the driver's release notes.
    """
    try:
        loaded = version_tuple(version)
    except ValueError:
        return None
    gone, first = DROPPED_IN.get(family), FIRST_DRIVERS.get(family)
    if gone is not None and loaded >= version_tuple(gone):
        last = next(release for release in reversed(RELEASES) if version_tuple(release) < version_tuple(gone))
        return ".".join(last.split(".")[:2])
    return f"{first} or later" if first is not None and loaded < version_tuple(first) else None


class Attribute(NamedTuple):
    """One file of the interface."""

    path: str
    """Below the directory of its scope."""
    scope: str
    """A key of `DIRECTORIES`."""
    mode: int
    """Permissions; the owner is root."""
    kind: str
    """How its content is written: a key of `KINDS`."""
    since: str
    """First driver version that has it, or `KERNEL`."""
    until: str | None = None
    """First driver version without it."""
    families: tuple[str, ...] = _FAMILIES
    """Chip families (`Chip.family`) that have it."""
    only_on: str | None = None
    """The one platform that has it."""
    still_on: str | None = None
    """The one platform that keeps it from `until` on."""
    older_mode: tuple[str, int] | None = None
    """Version before which another mode holds, and that mode."""
    clears: bool = False
    """Whether a write, of anything, zeroes the value."""
    kept_by: str = "driver"
    """Who maintains the value: "driver" and "device" (read from its registers or firmware) are always live, "runtime"
    from `LIVE_COUNTERS_SINCE` on, "kernel" is fixed."""
    certain: bool = True


class Link(NamedTuple):
    """One symbolic link; path and target may name {device} and {bdf}."""

    path: str
    """Below the root of sysfs."""
    target: str
    since: str


KINDS = {
    "int": "a decimal number and a newline",
    "bare_int": "a decimal number without a newline",
    "firmware_int": 'a decimal number or "busy", and a newline',
    "hex16": "sixteen hexadecimal digits and a newline; a lone newline when unknown",
    "hex_id": "0x and four hexadecimal digits and a newline",
    "text": "a word or sentence and a newline; a lone newline when empty",
    "empty": "nothing",
    "numbers": 'decimal numbers with ", " between them and a newline; a lone newline for none',
    "modes": 'decimal numbers with "," between them and a newline; a lone newline for none',
    "uevent": "MAJOR=, MINOR= and DEVNAME= lines",
    "power": "status, epoch seconds, then minimum, maximum and average percent with two decimals; commas, a newline",
    "power_raw": 'a line "die,util_bips,counter" and one line per die',
    "pe_cntrs": 'a line "xrow_grp,mm_active,wl_active,idle" and four lines of cycle counts',
}


def version_tuple(version: str) -> tuple[int, ...]:
    """A driver version such as "2.26.5.0" as numbers that compare; ValueError for anything else."""
    try:
        return tuple(int(part) for part in version.strip().split("."))
    except ValueError:
        raise ValueError(f"expected a driver version such as 2.26.5.0, got {version!r}") from None


def platform_of(product_name: str) -> str:
    """The driver's platform for a DMI product name: "ultraserver", "pds", "max" or "standard"."""
    return PLATFORMS.get(product_name, STANDARD)


def attributes(family: str, version: str, platform: str = STANDARD) -> tuple[Attribute, ...]:
    """The attributes that a driver of this version has for chips of this family, in the order of the table."""
    return tuple(attribute for attribute in ATTRIBUTES if _has(attribute, family, version_tuple(version), platform))


def mode_of(attribute: Attribute, version: str) -> int:
    """The permissions of an attribute under a driver version."""
    if attribute.older_mode and version_tuple(version) < version_tuple(attribute.older_mode[0]):
        return attribute.older_mode[1]
    return attribute.mode


def path_of(attribute: Attribute, device: int = 0, core: int = 0, bdf: str = "") -> str:
    """Where an attribute lies below the root of sysfs, for one device, core or PCI function."""
    return f"{DIRECTORIES[attribute.scope]}/{attribute.path}".format(device=device, core=core, bdf=bdf)


def _has(attribute: Attribute, family: str, version: tuple[int, ...], platform: str) -> bool:
    if family not in attribute.families or attribute.only_on not in (None, platform):
        return False
    if attribute.since == KERNEL:
        return True
    if version < version_tuple(attribute.since):
        return False
    if family in DROPPED_IN and version_tuple(attribute.since) >= version_tuple(DROPPED_IN[family]):
        return False
    gone = attribute.until is not None and version >= version_tuple(attribute.until)
    return not gone or attribute.still_on == platform


def _class_attributes() -> Iterator[Attribute]:
    def on_class(
        path: str,
        kind: str,
        since: str,
        until: str | None = None,
        only_on: str | None = None,
        still_on: str | None = None,
    ) -> Attribute:
        return Attribute(path, "class", 0o444, kind, since, until, only_on=only_on, still_on=still_on)

    yield on_class("hbm_7200_capable", "firmware_int", "2.27.4")
    yield on_class("current_perf_profile", "int", "2.27.4")
    yield on_class("node_id", "text", "2.22.2", "2.23")
    yield on_class("server_id", "hex16", "2.22.2", "2.23")
    yield on_class("node_id", "text", "2.27", only_on="pds")
    yield on_class("node_cnt", "text", "2.27", only_on="pds")
    yield on_class("reservation_id", "text", "2.27", only_on="pds")
    for path, kind in (
        ("node_id_2", "text"),
        ("node_id_4", "text"),
        ("server_id_2", "hex16"),
        ("server_id_4", "hex16"),
    ):
        yield on_class(path, kind, "2.23.9", "2.27", still_on="ultraserver")
    yield on_class("ultraserver_mode", "modes", "2.23.9", "2.27", still_on="ultraserver")


def _kernel_attributes() -> Iterator[Attribute]:
    for scope, path, mode, kind in (
        ("device", "dev", 0o444, "text"),
        ("device", "uevent", 0o644, "uevent"),
        ("device", "power/control", 0o644, "text"),
        ("device", "power/runtime_status", 0o444, "text"),
        ("device", "power/runtime_active_time", 0o444, "int"),
        ("device", "power/runtime_suspended_time", 0o444, "int"),
        ("device", "power/autosuspend_delay_ms", 0o644, "empty"),
        ("pci", "vendor", 0o444, "hex_id"),
        ("pci", "device", 0o444, "hex_id"),
        ("pci", "numa_node", 0o644, "int"),
        ("pci", "local_cpulist", 0o444, "text"),
        ("dmi", "product_name", 0o444, "text"),
        ("dmi", "board_asset_tag", 0o444, "text"),
    ):
        yield Attribute(path, scope, mode, kind, KERNEL, kept_by="kernel")


def _device_attributes() -> Iterator[Attribute]:
    readable = ("2.28", 0o400)
    yield Attribute("reset", "device", 0o600, "int", "2.5.7")
    yield Attribute("core_count", "device", 0o444, "bare_int", "2.5.7", older_mode=readable)
    yield Attribute("connected_devices", "device", 0o444, "numbers", "2.13.4", older_mode=readable)
    yield Attribute("fw_api_version", "device", 0o444, "firmware_int", "2.27.4", families=_NOT_INF1)
    yield Attribute("fw_build", "device", 0o444, "firmware_int", "2.28", families=_NOT_INF1)
    yield Attribute("info/notify_delay", "device", 0o644, "int", "2.9.4")
    yield Attribute("info/serial_number", "device", 0o644, "hex16", "2.15.9", families=_NOT_INF1)
    for name in ("arch_type", "instance_type", "device_name"):
        yield Attribute(f"info/architecture/{name}", "device", 0o644, "text", "2.8.4")
    for category, since in HOST_MEMORY.items():
        yield from _values(f"stats/memory_usage/host_mem/{category}", "device", MEMORY_FILES, since)
    yield from _hardware_attributes()
    yield Attribute("stats/power/utilization", "device", 0o644, "power", "2.21.37", kept_by="device")
    yield Attribute("stats/power/utilization_raw", "device", 0o644, "power_raw", "2.29", kept_by="device")


def _hardware_attributes() -> Iterator[Attribute]:
    for name, since in ECC_COUNTERS.items():
        path = f"stats/hardware/{name}"
        certain = since != "2.30.2"
        yield Attribute(path, "device", 0o644, "int", since, families=_NOT_INF1, kept_by="device", certain=certain)
    for name in HEALTH_FILES:
        path = f"stats/hardware/health_status/{name}"
        certain = name not in ("unhealthy_components", "healthcheck_heartbeat")
        kind = "text" if name == "unhealthy_components" else "int"
        since = "2.28" if certain else "2.30.2"
        yield Attribute(path, "device", 0o444, kind, since, families=HEALTH_FAMILIES, kept_by="device", certain=certain)


def _core_attributes() -> Iterator[Attribute]:
    for name, since in STATUS_NAMES.items():
        yield from _values(f"stats/status/{name}", "core", COUNTER_FILES, since, "runtime")
    for pool in ("host_mem", "device_mem"):
        yield from _values(f"stats/memory_usage/{pool}", "core", MEMORY_FILES, "2.8.4")
    for category, since in CORE_MEMORY.items():
        yield from _values(f"stats/memory_usage/device_mem/{category}", "core", MEMORY_FILES, since)
    for name, since in OTHER_INFO.items():
        kept_by = "driver" if name in DRIVER_KEPT_OTHER_INFO else "runtime"
        yield from _values(f"stats/other_info/{name}", "core", COUNTER_FILES, since, kept_by)
    yield Attribute(
        "stats/tensor_engine/pe_cntrs", "core", 0o644, "pe_cntrs", "2.23.9", families=_NOT_INF1, kept_by="device"
    )
    yield Attribute("info/architecture/arch_type", "core", 0o644, "text", "2.8.4")


def _values(
    directory: str, scope: str, files: tuple[str, ...], since: str, kept_by: str = "driver"
) -> Iterator[Attribute]:
    for name in files:
        yield Attribute(f"{directory}/{name}", scope, 0o644, "int", since, clears=True, kept_by=kept_by)


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("version", "module", 0o444, "text", "2.5.7", kept_by="kernel"),
    *_class_attributes(),
    *_kernel_attributes(),
    *_device_attributes(),
    *_core_attributes(),
)

LINKS = (
    Link("class/neuron_device/neuron{device}", "../../devices/virtual/neuron_device/neuron{device}", "2.5.7"),
    Link("devices/virtual/neuron_device/neuron{device}/subsystem", "../../../../class/neuron_device", KERNEL),
    Link("bus/pci/devices/{bdf}/driver", "../../../../bus/pci/drivers/neuron-driver", KERNEL),
)
