"""Every value has a source."""

from collections.abc import Iterator

import pytest

from neurontools.hardware.chips import CHIPS, CORES, Chip, NeuronCore
from neurontools.hardware.instances import INSTANCES, Instance
from neurontools.hardware.provenance import STATUSES, provenance

RECORDS: dict[str, NeuronCore | Chip | Instance] = {**CORES, **CHIPS, **INSTANCES}


def _values(record: NeuronCore | Chip | Instance) -> Iterator[str]:
    """The field path of every value of a record that is known."""
    for field, value in record._asdict().items():
        if isinstance(value, dict):
            yield from (f"{field}.{key}" for key, entry in value.items() if entry is not None)
        elif value not in (None, ()):
            yield field


@pytest.mark.parametrize("name", RECORDS)
def test_every_known_value_has_a_source(name: str) -> None:
    paths = list(_values(RECORDS[name]))
    assert paths
    for path in paths:
        found = provenance(name, path)
        assert found.status in STATUSES
        assert found.source
        assert "{" not in found.source


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("NCv2", "peak_flops.bf16", "published"),
        ("NCv2", "peak_flops.int8", "derived"),
        ("Trainium2", "core.sbuf_bytes", "published"),
        ("Trainium2", "monitor_core_version", "published"),
        ("Inferentia", "monitor_device_type", "assumed"),
        ("Trainium1", "monitor_device_version", "captured"),
        ("Trainium3", "monitor_device_type", "assumed"),
        ("Trainium3", "default_lnc", "assumed"),
        ("inf2.48xlarge", "bdfs", "captured"),
        ("inf2.48xlarge", "numa_nodes", "assumed"),
        ("trn2.3xlarge", "host_memory_bytes", "captured"),
        ("trn2u.48xlarge", "bdfs", "assumed"),
        ("trn3.48xlarge", "devices", "assumed"),
        ("trn3p.48xlarge", "server_link_bytes_per_s_per_device", "assumed"),
    ],
)
def test_the_standing_of_a_value(name: str, path: str, status: str) -> None:
    assert provenance(name, path).status == status


def test_a_source_names_the_page_of_its_record() -> None:
    assert provenance("inf2.48xlarge", "vcpus").source == "AWS docs: inf2-arch"
    assert provenance("trn1n.32xlarge", "vcpus").source == "AWS docs: trn1-arch"
    assert provenance("Trainium2", "core.psum_bytes").source == provenance("NCv3", "psum_bytes").source


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Trainium9", "cores"),
        ("Trainium2", "colour"),
        ("Trainium2", "peak_flops.int4"),
        ("Trainium2", "cores.first"),
        ("Trainium3", "monitor_core_version"),
        ("inf1.xlarge", "numa_nodes"),
        ("Trainium2", "core.colour"),
        ("Trainium2", "count"),
    ],
)
def test_what_has_no_value_has_no_source(name: str, path: str) -> None:
    with pytest.raises(KeyError):
        provenance(name, path)
