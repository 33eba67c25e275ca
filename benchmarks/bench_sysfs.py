"""Readings of a host's own files: a trn2.48xlarge with all its counters moving, once a second, by kept descriptors.

The tree is written to /dev/shm, where a file costs about what one of sysfs does; bare system calls on the same files
are the comparison.
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

from benchmarks.timing import Figure, process_instructions, process_seconds, table
from neurontools.exporters.report import needed_kind
from neurontools.hardware.driver import LINKS, PCI_DRIVER_DIRECTORY, POWER_VALID, Attribute, attributes, path_of
from neurontools.hardware.instances import INSTANCES, chip_of
from neurontools.hardware.topology import adjacency
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.views.top.reader import lean_kind

INSTANCE = INSTANCES["trn2.48xlarge"]
CHIP = chip_of(INSTANCE)
DRIVER = "2.30.2.0"
ROUNDS = 9
PERIOD_S = 1.0
MOVING = ("other_info/nc_time_in_use", "other_info/flop_count", "other_info/inference_count", "status/success")
COMPARISON = (sys.executable, "-c", "import argparse, json")
_MILLION = 1e6
_MS = 1e3

_TEXTS = {
    "info/architecture/device_name": CHIP.name,
    "info/architecture/instance_type": CHIP.family,
    "info/serial_number": "0c51f2a76b3e9d04",
    "reset": "1",
    "version": DRIVER,
    "product_name": INSTANCE.name,
    "board_asset_tag": "i-0123456789abcdef0",
}
_KINDS = {
    "power": f"{POWER_VALID},1750000000,11.42,63.80,42.17",
    "pe_cntrs": "xrow_grp,mm_active,wl_active,idle\n" + "\n".join(f"{i},7500123,1200456,91299421" for i in range(4)),
    "text": "",
}


def write(root: Path, path: str, text: str) -> None:
    """A file below the root."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(f"{text}\n")


def text_of(attribute: Attribute, device: int) -> str:
    """What a file says: facts, and numbers of a usual length."""
    if attribute.path == "connected_devices":
        return ", ".join(map(str, adjacency(INSTANCE)[device]))
    return _TEXTS.get(attribute.path, _KINDS.get(attribute.kind, "16327507968" if attribute.clears else "0"))


@contextmanager
def host() -> Iterator[Path]:
    """The files of a host with an idle /proc of its own."""
    directory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    bdfs = INSTANCE.bdfs or ()
    places = {"device": range(INSTANCE.devices), "core": range(INSTANCE.devices), "pci": range(INSTANCE.devices)}
    try:
        for attribute in attributes(CHIP.family, DRIVER):
            for device in places.get(attribute.scope, range(1)):
                for core in range(CHIP.cores if attribute.scope == "core" else 1):
                    path = path_of(attribute, device, core, bdfs[device])
                    write(directory, f"sys/{path}", text_of(attribute, device))
        for device, bdf in enumerate(bdfs):
            write(directory, f"dev/neuron{device}", "")
            for link in LINKS:
                made = directory / f"sys/{link.path}".format(device=device, bdf=bdf)
                made.parent.mkdir(parents=True, exist_ok=True)
                made.symlink_to(link.target.format(device=device))
            (directory / f"sys/{PCI_DRIVER_DIRECTORY}").mkdir(parents=True, exist_ok=True)
            (directory / f"sys/{PCI_DRIVER_DIRECTORY}/{bdf}").symlink_to(f"../../../../bus/pci/devices/{bdf}")
        cpus = "".join(f"cpu{i} 100 0 50 9000 2 0 3 0 0 0\n" for i in range(INSTANCE.vcpus))
        write(directory, "proc/stat", f"cpu 1 1 1 1 1 1 1\n{cpus}ctxt 4242\nbtime 1800000000")
        write(directory, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB")
        yield directory
    finally:
        shutil.rmtree(directory)


def work(root: Path, count: int) -> None:
    """Every core executes: these of its counters move."""
    for device in range(INSTANCE.devices):
        for core in range(CHIP.cores):
            directory = root / f"sys/devices/virtual/neuron_device/neuron{device}/neuron_core{core}/stats"
            for counter in MOVING:
                (directory / counter / "total").write_text(f"{16327507968 + count}\n")


def cpu_ms(call: Callable[[], object], before: Callable[[int], object] = lambda _: None, pause_s: float = 0) -> float:
    """Median CPU time of a call, ms, each after a pause and after something else that does not count."""
    spent = []
    for turn in range(ROUNDS):
        time.sleep(pause_s)
        before(turn)
        began = time.process_time_ns()
        call()
        spent.append(time.process_time_ns() - began)
    return statistics.median(spent) / 1e6


def reading_ms(root: Path, kind: type[Snapshot]) -> tuple[float, float]:
    """CPU time of the first and of a later reading of this kind, all counters moving, one a second."""
    source = SysfsSource(str(root))
    source.narrow(kind)
    began = time.process_time_ns()
    source.snapshot()
    first = (time.process_time_ns() - began) / 1e6
    source.snapshot()
    later = cpu_ms(source.snapshot, lambda turn: work(root, turn), PERIOD_S)
    source.close()
    return first, later


def bare_ms(root: Path) -> tuple[int, float]:
    """How many files of counters there are, and the CPU time of nothing but reading each of them once."""
    paths = [path for path in root.rglob("stats/**/*") if path.name in ("total", "present", "peak")]
    descriptors = [os.open(path, os.O_RDONLY) for path in paths]
    spent = cpu_ms(lambda: list(map(os.pread, descriptors, repeat(64), repeat(0))), pause_s=PERIOD_S)
    for descriptor in descriptors:
        os.close(descriptor)
    return len(paths), spent


def starting(root: Path) -> list[Figure]:
    """neuron-ls on these files, against an interpreter that imports argparse and json."""
    command = (str(Path(sys.executable).parent / "neuron-ls"), "-j", "--source", f"sysfs:{root}")
    instructions = [process_instructions(program) for program in (COMPARISON, command)]
    counts = [None if count is None else count / _MILLION for count in instructions]
    seconds = [process_seconds(program, runs=21) for program in (COMPARISON, command)]
    return [
        Figure("argparse, json: instructions", counts[0], "M"),
        Figure("neuron-ls -j of these files: instructions", counts[1], "M"),
        Figure("argparse, json: time", seconds[0] * _MS, "ms"),
        Figure("neuron-ls -j of these files: time", seconds[1] * _MS, "ms"),
    ]


def main() -> int:
    """Prints the figures with their budgets."""
    with host() as root:
        first, whole = reading_ms(root, Snapshot)
        count, bare = bare_ms(root)
        figures = [
            Figure("files", float(sum(len(names) for _, _, names in os.walk(root))), ""),
            Figure("a full report at 1 Hz, CPU time", whole, "ms", 25.0),
            Figure("its first reading, CPU time", first, "ms"),
            Figure(f"reading {count:,} files bare, CPU time", bare, "ms"),
            Figure("what neuron-top looks at, CPU time", reading_ms(root, lean_kind())[1], "ms"),
            Figure("what neuron-monitor looks at, CPU time", reading_ms(root, needed_kind())[1], "ms"),
            *starting(root),
        ]
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
