"""The EC2 instance types that carry Neuron devices: counts, host, links and where the devices sit on the PCI bus.

The source and standing of every value is in `neurontools.hardware.provenance`; an unknown value is None.
"""

from typing import NamedTuple

from neurontools.hardware.chips import CHIPS, Chip
from neurontools.units import GIB

_GIGA = 10**9

_LINKS_PER_DEVICE = {"none": 0, "chain": 2, "ring": 2, "torus": 4}


class Instance(NamedTuple):
    """One instance type. Tuples over devices are in the driver's device order."""

    name: str
    chip: str
    """Name of the chip: a key of `CHIPS`."""
    devices: int
    vcpus: int
    host_memory_bytes: int
    topology: str
    """How the driver says the devices are linked: "none", "chain", "ring" or "torus" (rows of 4, both ways round)."""
    link_bytes_per_s_per_device: int | None
    """All chip-to-chip bandwidth of one device, in and beyond the server."""
    server_link_bytes_per_s_per_device: int | None
    """The part of it that stays inside the server."""
    efa_bits_per_s: int | None
    bdfs: tuple[str, ...] | None
    """PCI addresses such as "0000:80:1e.0"."""
    numa_nodes: tuple[int, ...] | None
    """-1 where the kernel knows of no node."""
    cpu_affinity: tuple[str, ...] | None
    """The kernel's local_cpulist, such as "0-47,96-143"."""
    other_bdfs: tuple[tuple[str, ...], ...]
    """Further orders of PCI addresses that were published for this type."""


def chip_of(instance: Instance) -> Chip:
    """The chip that this instance type carries."""
    return CHIPS[instance.chip]


def lookup(name: str) -> Instance:
    """The instance type of that name; KeyError names the nearest known one."""
    if name in INSTANCES:
        return INSTANCES[name]
    from neurontools.spelling import nearest  # only an unknown name pays for this import

    raise KeyError(f"unknown instance type {name!r}; the nearest known one is {nearest(name, INSTANCES, 0)!r}")


def links_per_device(instance: Instance) -> int:
    """Links of one inner device to its neighbours in the server (the ends of a chain use one less)."""
    return _LINKS_PER_DEVICE[instance.topology]


def link_bytes_per_s(instance: Instance) -> float | None:
    """Bandwidth of one link inside the server in bytes per second; None without links or when it is not known."""
    links = links_per_device(instance)
    if not links or instance.server_link_bytes_per_s_per_device is None:
        return None
    return instance.server_link_bytes_per_s_per_device / links


def core_count(instance: Instance) -> int:
    """Physical cores of the whole instance."""
    return instance.devices * chip_of(instance).cores


def total_peak_flops(instance: Instance, data_type: str) -> int | None:
    """Dense peak of all devices in FLOP/s; None for a data type that the chip lacks."""
    peak = chip_of(instance).peak_flops.get(data_type)
    return None if peak is None else peak * instance.devices


def total_memory_bytes(instance: Instance) -> int:
    """Device memory of all devices."""
    return instance.devices * chip_of(instance).memory_bytes


def total_memory_bytes_per_s(instance: Instance) -> int:
    """Device memory bandwidth of all devices."""
    return instance.devices * chip_of(instance).memory_bytes_per_s


def _functions(text: str) -> tuple[str, ...]:
    """Full PCI addresses from "bus:slot" words."""
    return tuple(f"0000:{word}.0" for word in text.split())


_INF1_SLOTS = tuple(f"0000:00:{slot:x}.0" for slot in range(0x10, 0x20))

_INF2_BDFS = _functions("80:1e 90:1e 80:1d 90:1f 80:1f 90:1d 20:1e 20:1f 10:1e 10:1f 10:1d 20:1d")

_TRN1_BDFS = _functions(
    "10:1b 10:1e a0:1b a0:1e 20:1e 20:1c 90:1e 90:1c 20:1d 20:1b 90:1d 90:1b 10:1c 10:1d a0:1c a0:1d"
)
_TRN1_OLDER_BDFS = _functions(
    "10:1c 10:1d a0:1c a0:1d 20:1b 20:1c 90:1b 90:1c 20:1d 20:1e 90:1d 90:1e 10:1e 10:1b a0:1e a0:1b"
)
_TRN2_BDFS = _functions(
    "cc:00 b5:00 b6:00 cb:00 6f:00 58:00 59:00 6e:00 9b:00 84:00 85:00 9a:00 f8:00 e1:00 e2:00 f7:00"
)

_INF2_NUMA = (1,) * 6 + (0,) * 6
_TRN1_NUMA = (0, 0, 1, 1) * 4
_TRN2_NUMA = (1,) * 4 + (0,) * 8 + (1,) * 4

_CPUS_OF_128 = ("0-31,64-95", "32-63,96-127")
_CPUS_OF_192 = ("0-47,96-143", "48-95,144-191")


def _affinity(nodes: tuple[int, ...], cpus: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(cpus[node] for node in nodes)


_INF1_XLARGE = Instance(
    name="inf1.xlarge",
    chip="Inferentia",
    devices=1,
    vcpus=4,
    host_memory_bytes=8 * GIB,
    topology="none",
    link_bytes_per_s_per_device=None,
    server_link_bytes_per_s_per_device=None,
    efa_bits_per_s=None,
    bdfs=_INF1_SLOTS[-1:],
    numa_nodes=None,
    cpu_affinity=None,
    other_bdfs=(),
)
_INF1_6XLARGE = _INF1_XLARGE._replace(
    name="inf1.6xlarge",
    devices=4,
    vcpus=24,
    host_memory_bytes=48 * GIB,
    topology="chain",
    link_bytes_per_s_per_device=32 * GIB,
    server_link_bytes_per_s_per_device=32 * GIB,
    bdfs=_INF1_SLOTS[-4:],
)
_INF2_XLARGE = _INF1_XLARGE._replace(
    name="inf2.xlarge",
    chip="Inferentia2",
    host_memory_bytes=16 * GIB,
    bdfs=_functions("00:1f"),
    numa_nodes=(-1,),
    cpu_affinity=("0-3",),
)
_INF2_48XLARGE = Instance(
    name="inf2.48xlarge",
    chip="Inferentia2",
    devices=12,
    vcpus=192,
    host_memory_bytes=768 * GIB,
    topology="ring",
    link_bytes_per_s_per_device=192 * _GIGA,
    server_link_bytes_per_s_per_device=192 * _GIGA,
    efa_bits_per_s=None,
    bdfs=_INF2_BDFS,
    numa_nodes=_INF2_NUMA,
    cpu_affinity=_affinity(_INF2_NUMA, _CPUS_OF_192),
    other_bdfs=(),
)
_TRN1_32XLARGE = Instance(
    name="trn1.32xlarge",
    chip="Trainium1",
    devices=16,
    vcpus=128,
    host_memory_bytes=512 * GIB,
    topology="torus",
    link_bytes_per_s_per_device=384 * _GIGA,
    server_link_bytes_per_s_per_device=384 * _GIGA,
    efa_bits_per_s=800 * _GIGA,
    bdfs=_TRN1_BDFS,
    numa_nodes=_TRN1_NUMA,
    cpu_affinity=_affinity(_TRN1_NUMA, _CPUS_OF_128),
    other_bdfs=(_TRN1_OLDER_BDFS,),
)
_TRN2_48XLARGE = Instance(
    name="trn2.48xlarge",
    chip="Trainium2",
    devices=16,
    vcpus=192,
    host_memory_bytes=2048 * GIB,
    topology="torus",
    link_bytes_per_s_per_device=1_280 * _GIGA,
    server_link_bytes_per_s_per_device=1_024 * _GIGA,
    efa_bits_per_s=3_200 * _GIGA,
    bdfs=_TRN2_BDFS,
    numa_nodes=_TRN2_NUMA,
    cpu_affinity=_affinity(_TRN2_NUMA, _CPUS_OF_192),
    other_bdfs=(),
)

_ALL = (
    _INF1_XLARGE,
    _INF1_XLARGE._replace(name="inf1.2xlarge", vcpus=8, host_memory_bytes=16 * GIB),
    _INF1_6XLARGE,
    _INF1_6XLARGE._replace(name="inf1.24xlarge", devices=16, vcpus=96, host_memory_bytes=192 * GIB, bdfs=_INF1_SLOTS),
    _INF2_XLARGE,
    _INF2_XLARGE._replace(
        name="inf2.8xlarge", vcpus=32, host_memory_bytes=128 * GIB, bdfs=None, numa_nodes=None, cpu_affinity=None
    ),
    _INF2_48XLARGE._replace(
        name="inf2.24xlarge",
        devices=6,
        vcpus=96,
        host_memory_bytes=384 * GIB,
        topology="chain",
        bdfs=None,
        numa_nodes=None,
        cpu_affinity=None,
    ),
    _INF2_48XLARGE,
    _INF2_XLARGE._replace(
        name="trn1.2xlarge",
        chip="Trainium1",
        vcpus=8,
        host_memory_bytes=32 * GIB,
        bdfs=_functions("00:1e"),
        cpu_affinity=("0-7",),
    ),
    _TRN1_32XLARGE,
    _TRN1_32XLARGE._replace(
        name="trn1n.32xlarge",
        link_bytes_per_s_per_device=768 * _GIGA,
        server_link_bytes_per_s_per_device=768 * _GIGA,
        efa_bits_per_s=1_600 * _GIGA,
    ),
    _INF2_XLARGE._replace(
        name="trn2.3xlarge",
        chip="Trainium2",
        vcpus=12,
        host_memory_bytes=124 * GIB,
        bdfs=_functions("33:00"),
        numa_nodes=(0,),
        cpu_affinity=("0-11",),
    ),
    _TRN2_48XLARGE,
    _TRN2_48XLARGE._replace(name="trn2n.48xlarge"),
    _TRN2_48XLARGE._replace(name="trn2u.48xlarge"),
    _TRN2_48XLARGE._replace(
        name="trn3p.48xlarge",
        chip="Trainium3",
        link_bytes_per_s_per_device=2_560 * _GIGA,
        server_link_bytes_per_s_per_device=256 * _GIGA,
    ),
    _TRN2_48XLARGE._replace(
        name="trn3.48xlarge",
        chip="Trainium3",
        devices=4,
        vcpus=64,
        host_memory_bytes=768 * GIB,
        topology="none",
        link_bytes_per_s_per_device=2_560 * _GIGA,
        server_link_bytes_per_s_per_device=256 * _GIGA,
        efa_bits_per_s=800 * _GIGA,
        bdfs=None,
        numa_nodes=None,
        cpu_affinity=None,
    ),
)

INSTANCES = {instance.name: instance for instance in _ALL}
