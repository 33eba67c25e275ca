"""Where every value of the chips, cores and instance types comes from; loaded by nothing unless asked for."""

from typing import NamedTuple

from neurontools.hardware.chips import CHIPS, CORES, Chip, NeuronCore
from neurontools.hardware.instances import INSTANCES, Instance

STATUSES = ("published", "captured", "derived", "assumed")


class Provenance(NamedTuple):
    """Source of one value."""

    source: str
    status: str
    """"published" by AWS, "captured" from a real host, "derived" from published values, or "assumed"."""


def _published(source: str) -> Provenance:
    return Provenance(source, "published")


def _captured(source: str) -> Provenance:
    return Provenance(source, "captured")


def _derived(source: str) -> Provenance:
    return Provenance(source, "derived")


def _assumed(source: str) -> Provenance:
    return Provenance(source, "assumed")


_DRIVER = _published("Neuron driver source")
_PAGE = _published("AWS docs: {page}")
_PCI = _captured("neuron-ls and PCI listings of such instances")

_PAGES = {
    "NCv1": "neuron-core-v1",
    "NCv2": "neuron-core-v2 and NKI trainium_inferentia2_arch",
    "NCv3": "neuron-core-v3 and NKI trainium2_arch",
    "NCv4": "neuron-core-v4 and NKI trainium3_arch",
    "Inferentia": "inferentia",
    "Inferentia2": "inferentia2 and NKI trainium_inferentia2_arch",
    "Trainium1": "trainium and NKI trainium_inferentia2_arch",
    "Trainium2": "trainium2 and NKI trainium2_arch",
    "Trainium3": "trainium3 and NKI trainium3_arch",
}

_DEFAULTS: dict[type, dict[str, Provenance]] = {
    NeuronCore: dict.fromkeys(NeuronCore._fields, _PAGE)
    | {
        "arch_type": _DRIVER,
        "peak_flops.fp16": _derived("equal to bf16, as the chip's figures are"),
    },
    Chip: dict.fromkeys(Chip._fields, _PAGE)
    | {
        "name": _DRIVER,
        "arch_type": _DRIVER,
        "family": _DRIVER,
        "dice": _DRIVER,
        "pci_device_ids": _DRIVER,
        "reset_timeout_s": _DRIVER,
        "default_lnc": _derived("chips before Trainium2 have no logical cores; captured neuron-monitor lines say 1"),
    },
    Instance: dict.fromkeys(Instance._fields, _PAGE)
    | {
        "topology": _DRIVER,
        "server_link_bytes_per_s_per_device": _derived("no link leaves the server: equal to all of the device's"),
        "bdfs": _PCI,
        "numa_nodes": _PCI,
        "cpu_affinity": _PCI,
        "other_bdfs": _published("AWS docs: neuron-ls, an older edition"),
    },
}

_SAME_AS_TRN2 = _assumed("taken to be as on trn2.48xlarge")
_TRN3_NODE = "the UltraServer's figures in AWS docs trn3-arch, per node; that this name is such a node is assumed"
_RECORDS = {
    "trn2.3xlarge": _captured("a host of this type; not in AWS's architecture pages"),
    "trn2n.48xlarge": _SAME_AS_TRN2,
    "trn3p.48xlarge": _assumed(_TRN3_NODE),
    "trn3.48xlarge": _assumed(_TRN3_NODE),
}
"""Records whose fields do not have the source that the default names."""

_NEURON_LS_PAGE = _published("AWS docs: neuron-ls, sample of a trn2n.48xlarge")
_TRN3_SPLIT = _assumed("trn3-arch: 256 GB/s inside the server, a split that does not add up to its 2.56 TB/s")
_MONITOR_PAGE = _published("AWS docs: neuron-monitor")
_CC_CORES = _published("AWS docs: {page}; the first says 16, the second 20")

_FIELDS: dict[str, dict[str, Provenance]] = {
    "NCv1": {"peak_flops.int8": _derived("the chip's 128 TOP/s over 4 cores")},
    "NCv2": {
        "peak_flops.tf32": _derived("equal to bf16, as the chip's figures are"),
        "peak_flops.int8": _derived("the chip's 380 TOP/s over 2 cores"),
    },
    "NCv3": {"dma_engines": _derived("the chip's 128 over 8 cores")},
    "NCv4": {"dma_engines": _derived("the chip's 128 over 8 cores")},
    "Inferentia": {
        "dma_engines": _derived("3 per core"),
        "monitor_device_type": _assumed("named as on the later chips"),
        "monitor_device_version": _assumed("numbered as on the later chips"),
        "monitor_core_version": _derived("the core's version"),
    },
    "Inferentia2": {
        "monitor_device_type": _captured("neuron-monitor on an Inf2 instance"),
        "monitor_device_version": _captured("neuron-monitor on an Inf2 instance"),
        "monitor_core_version": _captured("neuron-monitor on an Inf2 instance"),
    },
    "Trainium1": {
        "monitor_device_type": _captured("neuron-monitor on a trn1.2xlarge"),
        "monitor_device_version": _captured("neuron-monitor on a trn1.2xlarge"),
        "monitor_core_version": _captured("neuron-monitor on a trn1.2xlarge"),
    },
    "Trainium2": {
        "cc_cores": _CC_CORES,
        "default_lnc": _published("AWS docs: logical-neuroncore-config"),
        "monitor_device_type": _MONITOR_PAGE,
        "monitor_device_version": _MONITOR_PAGE,
        "monitor_core_version": _MONITOR_PAGE,
    },
    "Trainium3": {
        "cc_cores": _CC_CORES,
        "default_lnc": _assumed("taken to be as on Trainium2"),
        "monitor_device_type": _assumed("named as on Trainium2"),
    },
    "inf1.24xlarge": {"bdfs": _derived("starts at slot 10; on the smaller types one slot follows the other, up to 1f")},
    "inf2.48xlarge": {
        "numa_nodes": _assumed("read off the PCI bus numbers"),
        "cpu_affinity": _assumed("read off the PCI bus numbers"),
    },
    "trn1n.32xlarge": dict.fromkeys(
        ("bdfs", "numa_nodes", "cpu_affinity", "other_bdfs"), _assumed("taken to be as on trn1.32xlarge")
    ),
    "trn2.3xlarge": {"topology": _DRIVER},
    "trn2.48xlarge": {
        "server_link_bytes_per_s_per_device": _PAGE,
        "bdfs": _NEURON_LS_PAGE,
        "numa_nodes": _NEURON_LS_PAGE,
        "cpu_affinity": _NEURON_LS_PAGE,
    },
    "trn2n.48xlarge": {
        "name": _NEURON_LS_PAGE,
        "chip": _NEURON_LS_PAGE,
        "devices": _NEURON_LS_PAGE,
        "topology": _NEURON_LS_PAGE,
        "bdfs": _NEURON_LS_PAGE,
        "numa_nodes": _NEURON_LS_PAGE,
        "cpu_affinity": _NEURON_LS_PAGE,
    },
    "trn2u.48xlarge": {"server_link_bytes_per_s_per_device": _PAGE}
    | dict.fromkeys(("bdfs", "numa_nodes", "cpu_affinity"), _SAME_AS_TRN2),
    "trn3p.48xlarge": {"name": _DRIVER, "topology": _DRIVER, "server_link_bytes_per_s_per_device": _TRN3_SPLIT}
    | dict.fromkeys(("bdfs", "numa_nodes", "cpu_affinity"), _SAME_AS_TRN2),
    "trn3.48xlarge": {"name": _DRIVER, "topology": _DRIVER, "server_link_bytes_per_s_per_device": _TRN3_SPLIT},
}


def provenance(record_name: str, field_path: str) -> Provenance:
    """The source of one value.

    `record_name` is that of a chip ("Trainium2"), core ("NCv3") or instance type; `field_path` one of its fields, in a
    mapping with the key ("peak_flops.bf16"), in a chip's core with the core's field ("core.sbuf_bytes").
    KeyError for a name that does not exist and for a value that is None or an empty tuple.
    """
    record = _record(record_name)
    field, _, rest = field_path.partition(".")
    value = getattr(record, field) if field in record._fields else None
    if isinstance(value, NeuronCore):
        return provenance(value.arch_type, rest or "version")
    if rest:
        value = value.get(rest) if isinstance(value, dict) else None
    if value is None or value == ():
        raise KeyError(f"{record_name} has no value {field_path!r}")
    found = _find(record_name, type(record), (field_path, field))
    return found._replace(source=found.source.format(page=_page(record_name)))


def _record(name: str) -> NeuronCore | Chip | Instance:
    record = CORES.get(name) or CHIPS.get(name) or INSTANCES.get(name)
    if record is None:
        raise KeyError(f"no chip, core or instance type is called {name!r}")
    return record


def _find(name: str, kind: type, paths: tuple[str, str]) -> Provenance:
    own = _FIELDS.get(name, {})
    for path in paths:
        if path in own:
            return own[path]
    if name in _RECORDS:
        return _RECORDS[name]
    default = _DEFAULTS[kind]
    return next(default[path] for path in paths if path in default)


def _page(name: str) -> str:
    """AWS's page on a record; instance types share one per family, such as inf2-arch."""
    return _PAGES.get(name) or f"{name[:4]}-arch"
