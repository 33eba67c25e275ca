"""Hosts as directories: the files that a driver shows, written by a loop over its table, with numbers of our choice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from neurontools.hardware.driver import (
    LINKS,
    PCI_DRIVER_DIRECTORY,
    POWER_VALID,
    Attribute,
    attributes,
    path_of,
    platform_of,
)
from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.hardware.topology import adjacency

INSTANCE_ID = "i-0123456789abcdef0"
BOOT_ID = "6e4f1e63-4f0f-4f58-9d3b-2f3a5c1f7a10"
BOOT_S = 1_800_000_000
SERIAL = "0c51f2a76b3e9d0{:x}"
PE_ROWS = "xrow_grp,mm_active,wl_active,idle\n" + "".join(
    f"{row},{750 + row},{120 + row},{9129 + row}\n" for row in range(4)
)
DRIVERS = ("2.16.7", "2.21.37", "2.24.7", "2.26.5.0", "2.28.2", "2.30.2.0")
MIB = 1 << 20


class Tree:
    """A host of an instance type with a driver's version, below `root`; files can be changed in place.

    Without `counters` it has the files only by which devices and cores are known; `devices` may be fewer than usual.
    """

    def __init__(
        self,
        root: Path,
        instance: str = "trn2.3xlarge",
        version: str = "2.30.2.0",
        counters: bool = True,
        devices: int | None = None,
    ) -> None:
        self.root = root
        self.instance = INSTANCES[instance]
        if devices is not None:
            self.instance = self.instance._replace(devices=devices)
        self.chip = chip_of(self.instance)
        self.version = version
        known = self.instance.bdfs or tuple(f"0000:00:{16 + i:x}.0" for i in range(self.instance.devices))
        self.bdfs = known[: self.instance.devices]
        self._platform = platform_of(instance)
        for attribute in attributes(self.chip.family, version, self._platform):
            if attribute.path.startswith("stats/") and not counters:
                continue
            for device, core, bdf in self._places(attribute):
                text = self._text(attribute, device, core)
                self.write(f"sys/{path_of(attribute, device, core, bdf)}", text)
        for link in LINKS:
            for device, bdf in enumerate(self.bdfs):
                self.link(f"sys/{link.path}".format(device=device, bdf=bdf), link.target.format(device=device))
        for bdf in self.bdfs:
            self.link(f"sys/{PCI_DRIVER_DIRECTORY}/{bdf}", f"../../../../bus/pci/devices/{bdf}")
        for device in range(self.instance.devices):
            self.write(f"dev/neuron{device}", "")
        self._write_system()

    @staticmethod
    def chip_name(instance: str) -> str:
        """The chip of an instance type."""
        return chip_of(INSTANCES[instance]).name

    def path(self, path: str) -> Path:
        """A file below the root."""
        return self.root / path

    def write(self, path: str, text: str | bytes) -> None:
        """Makes a file, or gives one that is there another content in place."""
        data = text.encode() if isinstance(text, str) else text
        try:
            self._put(path, data)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(f"{self.root}/{path}"))
            self._put(path, data)

    def _put(self, path: str, data: bytes) -> None:
        descriptor = os.open(f"{self.root}/{path}", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(descriptor, data, 0)
            os.ftruncate(descriptor, len(data))
        finally:
            os.close(descriptor)

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).symlink_to(target)

    def device(self, path: str, device: int = 0) -> str:
        """The path of a device's file."""
        return f"sys/devices/virtual/neuron_device/neuron{device}/{path}"

    def core(self, path: str, device: int = 0, core: int = 0) -> str:
        """The path of a core's file."""
        return self.device(f"neuron_core{core}/{path}", device)

    def count(self, counter: str, total: int, device: int = 0, core: int = 0, present: int = 1) -> None:
        """Sets a core's counter, such as other_info/nc_time_in_use."""
        self.write(self.core(f"stats/{counter}/total", device, core), f"{total}\n")
        self.write(self.core(f"stats/{counter}/present", device, core), f"{present}\n")

    def process(
        self,
        pid: int,
        devices: Mapping[int, int] | None = None,
        environ: Mapping[str, str] | None = None,
        command: str = "python serve.py",
        uid: int = 1000,
        started: int = 12_345,
        parent: int = 1,
    ) -> None:
        """A process; `devices` gives the open flags for each device that it has open."""
        directory = f"proc/{pid}"
        fields = [
            "S",
            str(parent),
            *["0"] * 9,
            "250",
            "50",
            "0",
            "0",
            "20",
            "0",
            "1",
            "0",
            str(started),
            "0",
            "1024",
            *["0"] * 5,
        ]
        self.write(f"{directory}/stat", f"{pid} (py (x) thon) {' '.join(fields)}\n")
        self.write(f"{directory}/status", f"Name:\tpython\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{pid}\n")
        self.write(f"{directory}/cmdline", "\0".join(command.split()) + "\0")
        self.write(f"{directory}/environ", "".join(f"{name}={text}\0" for name, text in (environ or {}).items()))
        self.path(f"{directory}/fd").mkdir(parents=True, exist_ok=True)
        self.link(f"{directory}/fd/0", "/dev/null")
        for descriptor, (device, flags) in enumerate((devices or {}).items(), start=3):
            self.link(f"{directory}/fd/{descriptor}", f"/dev/neuron{device}")
            self.write(
                f"{directory}/fdinfo/{descriptor}", f"pos:\t0\nflags:\t{flags | os.O_CLOEXEC:08o}\nmnt_id:\t15\n"
            )

    def mark(self, **said: object) -> None:
        """Writes the marker of a simulated host."""
        self.write("sys/module/neuron/simulated", "".join(f"{key} {value}\n" for key, value in said.items()))

    def _places(self, attribute: Attribute) -> list[tuple[int, int, str]]:
        devices = range(self.instance.devices)
        return {
            "device": [(device, 0, "") for device in devices],
            "core": [(device, core, "") for device in devices for core in range(self.chip.cores)],
            "pci": [(device, 0, bdf) for device, bdf in enumerate(self.bdfs)],
        }.get(attribute.scope, [(0, 0, "")])

    def _text(self, attribute: Attribute, device: int, core: int) -> str:
        """What a file says: known facts, and elsewhere numbers that tell the files apart."""
        special = {
            ("module", "version"): f"{self.version}\n",
            ("dmi", "product_name"): f"{self.instance.name}\n",
            ("dmi", "board_asset_tag"): f"{INSTANCE_ID}\n",
            ("device", "core_count"): str(self.chip.cores),
            ("device", "reset"): "1\n",
            ("device", "connected_devices"): ", ".join(map(str, adjacency(self.instance)[device])) + "\n",
            ("device", "info/serial_number"): SERIAL.format(device) + "\n",
            ("device", "info/architecture/arch_type"): f"{self.chip.arch_type}\n",
            ("device", "info/architecture/instance_type"): f"{self.chip.family}\n",
            ("device", "info/architecture/device_name"): f"{self.chip.name}\n",
            ("device", "stats/hardware/health_status/unhealthy_components"): "\n",
            ("core", "info/architecture/arch_type"): f"{self.chip.core.arch_type}\n",
            ("pci", "vendor"): "0x1d0f\n",
            ("pci", "device"): f"0x{self.chip.pci_device_ids[0]:04x}\n",
            ("pci", "numa_node"): f"{self.instance.numa_nodes[device] if self.instance.numa_nodes else -1}\n",
            ("pci", "local_cpulist"): f"{self.instance.cpu_affinity[device] if self.instance.cpu_affinity else ''}\n",
        }
        known = special.get((attribute.scope, attribute.path))
        if known is not None:
            return known
        if attribute.clears:
            return f"{value_of(attribute.path, device, core)}\n"
        return _KINDS.get(attribute.kind, "0\n")

    def _write_system(self) -> None:
        cpus = "".join(f"cpu{i} {100 + i} 1 50 9000 2 0 3 0 0 0\n" for i in range(4))
        self.write("proc/stat", f"cpu 406 4 200 36000 8 0 12 0 0 0\n{cpus}intr 5 0 1\nctxt 4242\nbtime {BOOT_S}\n")
        self.write(
            "proc/meminfo",
            "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable: 600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        )
        self.write("proc/sys/kernel/random/boot_id", f"{BOOT_ID}\n")


def value_of(path: str, device: int, core: int) -> int:
    """The number in a counter's file: another one for each file of a core and for each core."""
    scale = {"total": 100, "present": 1, "peak": 10_000}[path.rpartition("/")[2]]
    place = sum(path.encode()) % 97 + 1
    return scale * place + 1_000_000 * device + 1000 * core * scale


_KINDS = {
    "power": f"{POWER_VALID},1750000000,11.42,63.80,42.17\n",
    "power_raw": "die,util_bips,counter\n0,4217,31337\n",
    "pe_cntrs": PE_ROWS,
    "numbers": "\n",
    "modes": "\n",
    "empty": "",
    "text": "word\n",
    "uevent": "MAJOR=241\nMINOR=0\nDEVNAME=neuron0\n",
    "hex16": "0000000000000000\n",
}
