"""The families of our own, made from the catalogue under the prefix `neuron_`, in Prometheus' units and customs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from neurontools.exporters.prometheus.family import (
    BYTES,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    INFO,
    RATIO,
    SECONDS,
    Family,
    Point,
    View,
)
from neurontools.exporters.prometheus.findings import CHECKED, FINDING
from neurontools.exporters.prometheus.official import OFFICIAL
from neurontools.exporters.prometheus.text import sample
from neurontools.hardware.instances import INSTANCES
from neurontools.metrics import BY_NAME, CATALOGUE, LABELS, Metric, Placed
from neurontools.metrics import metric as catalogue
from neurontools.metrics.metric import PROCESS

_PREFIX = "neuron_"

_KINDS = {catalogue.COUNTER: COUNTER, catalogue.GAUGE: GAUGE, catalogue.HISTOGRAM: HISTOGRAM}

# The end of a catalogue's name, what it is here, the unit that it names, and how many of the catalogue's make one.
_ENDINGS = (
    ("_percent", "_ratio", RATIO, 100),
    ("_other_info_total", "_driver_counts_total", "", 1),
    ("_ns_total", "_seconds_total", SECONDS, 10**9),
    ("_histogram_s", "_seconds", SECONDS, 1),
    ("_per_s", "_per_second", "", 1),
    ("_s", "_seconds", SECONDS, 1),
    ("_process_count", "_processes", "", 1),
    ("_count", "s", "", 1),
    ("_bytes_total", "_bytes_total", BYTES, 1),
    ("_bytes", "_bytes", BYTES, 1),
    ("", "", "", 1),
)

_LABELS = {"device": "neuron_device", "core": "neuroncore", "on_core": "neuroncore", "tag": "runtime_tag"}
"""Labels that are called otherwise here; a pid is none, for a series would end with each process."""
_NO_LABEL = "pid"

_MADE_BY_QUERIES = frozenset(
    {
        *(f"node_{name}" for name in ("utilization_percent", "memory_used_bytes", "memory_total_bytes")),
        *(f"node_{name}" for name in ("memory_used_percent", "flops_per_s", "hbm_read_bytes_per_s")),
        *(f"node_{name}" for name in ("hbm_written_bytes_per_s", "executions_per_s", "requests_per_s")),
        *(f"node_{name}" for name in ("requests_queued", "requests_running", "prompt_tokens_per_s")),
        *("node_generated_tokens_per_s", "host_memory_used_percent", "device_utilization_percent"),
        *("device_memory_used_percent", "device_host_memory_used_bytes", "bank_used_percent", "bank_free_bytes"),
        *("link_transmitted_percent", "link_received_percent", "process_utilization_percent"),
        *("process_flops_per_s", "process_cache_used_percent"),
    }
)
_ALSO_UNDER_OUR_NAME = frozenset({"core_utilization_percent", "device_ecc_total"})
"""AWS's families have these of the cores in use and of four kinds of error only."""
_OFFICIAL = {name for family in OFFICIAL for name in family.metrics} - _ALSO_UNDER_OUR_NAME

LEFT_OUT: tuple[tuple[str, Callable[[Metric], bool]], ...] = (
    ("a family of AWS's has it", lambda metric: metric.name in _OFFICIAL),
    ("the rate of a counter", lambda metric: _renamed(metric.name, "_per_s", "_total") in BY_NAME),
    (
        "the histogram beside it tells more, and of any period",
        lambda metric: _renamed(metric.name.replace("_mean_s", "_s"), "_s", "_histogram_s") in BY_NAME,
    ),
    ("a query makes it as a sum, a mean or a quotient of others", lambda metric: metric.name in _MADE_BY_QUERIES),
    ("hundreds of series a host, which node_exporter has", lambda metric: metric.name == "host_each_vcpu_percent"),
)
"""Why a number of the catalogue is no family of our own, and which."""


def _renamed(name: str, ending: str, other: str) -> str:
    return name.removesuffix(ending) + other if name.endswith(ending) else ""


def why_left_out(metric: Metric) -> str:
    """Why a number of the catalogue has no family of its own; nothing where it has one."""
    return next((reason for reason, holds in LEFT_OUT if holds(metric)), "")


def _family(metric: Metric) -> Family:
    ending, renamed, unit, size = next(row for row in _ENDINGS if metric.name.endswith(row[0]))
    name = _PREFIX + metric.name[: len(metric.name) - len(ending)] + renamed
    kind = _KINDS[metric.kind]
    labels = [*LABELS[metric.scope], *metric.labels]
    return Family(
        name=name.removesuffix("_total") if kind == COUNTER else name,
        kind=kind,
        help=metric.help,
        labels=tuple(_LABELS.get(label, label) for label in labels if label != _NO_LABEL),
        read=_distributions(metric) if kind == HISTOGRAM else _samples(metric, size),
        unit=unit,
        metrics=(metric.name,),
    )


def _samples(metric: Metric, size: int) -> Callable[[View], Iterator[Point]]:
    def read(view: View) -> Iterator[Point]:
        for placed in view.records(metric.scope):
            labels = _placed(metric, placed, view)
            for keys, number in metric.samples(placed.record):
                yield (*labels, *keys) if keys else labels, number if size == 1 else number / size

    return read


def _distributions(metric: Metric) -> Callable[[View], Iterator[Point]]:
    def read(view: View) -> Iterator[Point]:
        for placed in view.records(metric.scope):
            histogram = metric.histogram(placed.record)
            if histogram is not None:
                yield _placed(metric, placed, view), histogram

    return read


def _placed(metric: Metric, placed: Placed, view: View) -> tuple[str, ...]:
    if metric.scope != PROCESS:
        return placed.labels
    process = placed.record
    return (view.tags[process.pid, process.started_ns],)  # type: ignore[attr-defined]


def _source(view: View) -> Iterator[Point]:
    origin = view.interval.head.origin
    yield (origin.kind, str(origin.simulated).lower(), origin.scenario or ""), 1.0


SOURCE = Family(
    "neuron_source",
    INFO,
    "Where the readings come from; simulated ones are of no real host.",
    ("origin", "simulated", "scenario"),
    _source,
)

UP = Family(
    "neuron_source_up",
    GAUGE,
    "Whether the Neuron devices of this host could be read lately.",
    (),
    lambda view: [((), 1.0)],
)


def up_text(up: bool) -> str:
    """The family that says whether the source can be read, alone: of a page without numbers, or without ours."""
    return sample(UP, (), float(up))


def _expected(view: View) -> Iterator[Point]:
    instance = INSTANCES.get(view.inventory.instance_type)
    if instance is not None:
        yield (), float(instance.devices)


EXPECTED = Family(
    "neuron_node_devices_expected", GAUGE, "Neuron devices that an instance of this type has.", (), _expected
)


def _jobs(view: View) -> Iterator[Point]:
    for process in view.interval.processes:
        if process.job is not None:
            tag = view.tags[process.pid, process.started_ns]
            yield (tag, process.job.kind, process.job.id, process.job.container or ""), 1.0


JOB = Family(
    "neuron_runtime_job",
    INFO,
    "What started a process: a pod, by its UID, or a job of Slurm.",
    ("runtime_tag", "scheduler", "job", "container_id"),
    _jobs,
)

OWN: tuple[Family, ...] = (
    *(SOURCE, UP, EXPECTED, JOB, FINDING, CHECKED),
    *(_family(metric) for metric in CATALOGUE if not why_left_out(metric)),
)
