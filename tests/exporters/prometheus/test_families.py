"""The table of families: each number of the catalogue once, under names that Prometheus and AWS's users expect."""

import re
from pathlib import Path

import pytest

from neurontools.exporters.prometheus import FAMILIES, OFFICIAL, OWN, Family, why_left_out
from neurontools.exporters.prometheus.family import BYTES, RATIO, SECONDS
from neurontools.exporters.prometheus.own import LEFT_OUT
from neurontools.metrics import BY_NAME, CATALOGUE
from tests.conftest import Golden

NAME = re.compile(r"[a-z][a-z0-9_]*")
NOT_OURS = re.compile(r"python_|process_|\w+_created\b")


def row(family: Family) -> str:
    return "\t".join(
        [
            "|".join(family.sample_names),
            family.kind,
            family.unit,
            ",".join(sorted(family.labels)),
            ",".join(family.metrics),
            family.help,
        ]
    )


def test_the_table_of_families(golden: Golden) -> None:
    left_out = [f"-\t{metric.name}\t{why_left_out(metric)}" for metric in CATALOGUE if why_left_out(metric)]
    golden("prometheus/families.tsv", "\n".join([*map(row, FAMILIES), *left_out, ""]))


def test_every_number_of_the_catalogue_is_shown_or_left_out_for_a_reason() -> None:
    shown = {name for family in FAMILIES for name in family.metrics}
    own = [name for family in OWN for name in family.metrics]
    assert len(own) == len(set(own))
    for metric in CATALOGUE:
        assert (metric.name in own) is not bool(why_left_out(metric)), metric.name
        assert metric.name in shown or why_left_out(metric)
    assert shown <= BY_NAME.keys()
    for reason, holds in LEFT_OUT:
        assert any(map(holds, CATALOGUE)), reason


def test_names_are_those_that_prometheus_expects() -> None:
    names = [name for family in FAMILIES for name in {family.name, *family.sample_names}]
    assert len(names) == len(set(names))
    for family in FAMILIES:
        assert NAME.fullmatch(family.name)
        assert all(map(NAME.fullmatch, family.labels))
        assert not family.unit or family.name.endswith(f"_{family.unit}")
        assert family.unit in ("", BYTES, RATIO, SECONDS)
        assert not family.name.endswith(("_total", "_info", "_created"))
        assert not {"pid", "le", "quantile"} & set(family.labels)
    assert all(family.name.startswith("neuron_") for family in OWN)


def declared(text: str) -> dict[str, tuple[str, str]]:
    """Type and help of the families of AWS's exporter itself, by name."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    return {name: (kind, helps[name]) for name, kind in types.items() if not NOT_OURS.match(name)}


def test_aws_families_are_as_aws_exporter_has_them(captures: Path) -> None:
    captured = declared((captures / "prometheus.inf1.xlarge.busy.2023-02.txt").read_text())
    ours = {
        family.sample_names[0]: ("gauge" if family.kind == "info" else family.kind, family.help) for family in OFFICIAL
    }
    assert len(captured) > 10
    for name, told in captured.items():
        assert ours.get(name) == told, name


@pytest.mark.parametrize(
    ("metric", "name", "unit"),
    [
        ("core_utilization_percent", "neuron_core_utilization_ratio", RATIO),
        ("core_busy_ns_total", "neuron_core_busy_seconds_total", SECONDS),
        ("core_hbm_read_bytes_total", "neuron_core_hbm_read_bytes_total", BYTES),
        ("process_latency_histogram_s", "neuron_process_latency_seconds_bucket", SECONDS),
        ("link_capacity_bytes_per_s", "neuron_link_capacity_bytes_per_second", ""),
        ("process_cached_tokens", "neuron_process_cached_tokens", ""),
    ],
)
def test_units_become_prometheus_own(metric: str, name: str, unit: str) -> None:
    (family,) = [family for family in OWN if metric in family.metrics]
    assert (family.sample_names[0], family.unit) == (name, unit)
