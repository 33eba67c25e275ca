"""Pod, namespace and container on a page: on what is of one device, core or process, and on nothing else."""

from __future__ import annotations

from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from neurontools.exporters.prometheus import FAMILIES, OFFICIAL, View, render
from neurontools.exporters.prometheus.compat import CompatPage, compat_view
from neurontools.exporters.prometheus.owned import OWNER_LABELS, owned
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.owners import Owner, Owners
from neurontools.schema.snapshot import Job
from tests.exporters.nodes import interval_of, inventory_for

INSTANCE = INSTANCES["inf2.24xlarge"]
INVENTORY, INTERVAL = inventory_for(INSTANCE), interval_of(INSTANCE)
CHAT, OTHER = Owner("serving", "chat-0", "server"), Owner("research", 'odd"\\name', "main")
FIRST, SECOND = INTERVAL.processes[:2]
OWNERS = Owners(2, {FIRST.cores[0] // 2: CHAT}, dict.fromkeys(SECOND.cores, OTHER))


def samples(text: str) -> list[tuple[str, dict[str, str]]]:
    families = text_string_to_metric_families(text)
    return [(sample.name, sample.labels) for family in families for sample in family.samples]


def owner_of(labels: dict[str, str]) -> Owner | None:
    found = [labels.get(label, "") for label in OWNER_LABELS]
    return Owner(*found) if any(found) else None


def test_every_series_of_a_part_is_its_owners() -> None:
    page = samples(render(View.of(INTERVAL, INVENTORY, OWNERS), owned(FAMILIES)))
    seen = set()
    for name, labels in page:
        owner = owner_of(labels)
        if "neuroncore" in labels:
            assert owner == OWNERS.of_core(int(labels["neuroncore"])), name
        elif device := labels.get("neuron_device", labels.get("neuron_device_index")):
            assert owner == OWNERS.of_device(int(device)), name
        elif "runtime_tag" not in labels:
            assert owner is None, name
        seen.add(owner)
    assert seen == {CHAT, OTHER, None}
    memory = {owner_of(labels) for name, labels in page if name == "neuron_runtime_memory_used_bytes"}
    assert OTHER in memory


def test_without_owners_it_is_the_page_without_them() -> None:
    view = View.of(INTERVAL, INVENTORY)
    assert render(view, owned(FAMILIES)) == render(view, FAMILIES)


def test_numbers_and_series_are_the_same_ones() -> None:
    bare = samples(render(View.of(INTERVAL, INVENTORY), FAMILIES))
    full = samples(render(View.of(INTERVAL, INVENTORY, OWNERS), owned(FAMILIES)))
    assert len(bare) == len(full)
    for (name, labels), (other, more) in zip(bare, full, strict=True):
        assert name == other and labels == {key: more[key] for key in more if key not in OWNER_LABELS}


def test_the_page_of_the_official_script_has_them_too() -> None:
    page = CompatPage(owned(OFFICIAL)).render(compat_view(INTERVAL, INVENTORY, OWNERS), 0.0)
    cores = [labels for name, labels in samples(page) if name == "neuroncore_utilization_ratio"]
    assert {owner_of(labels) for labels in cores} >= {CHAT, OTHER}


def test_a_job_is_told_of_its_process() -> None:
    pod = replace(FIRST, job=Job(kind="kubernetes", id="uid", container="abc"))
    slurm = replace(SECOND, job=Job(kind="slurm", id="7"))
    interval = replace(INTERVAL, processes=(pod, slurm, *INTERVAL.processes[2:]))
    view = View.of(interval, INVENTORY)
    jobs = [labels for name, labels in samples(render(view, FAMILIES)) if name == "neuron_runtime_job_info"]
    assert jobs == [
        {
            "container_id": "abc",
            "job": "uid",
            "runtime_tag": view.tags[pod.pid, pod.started_ns],
            "scheduler": "kubernetes",
        },
        {"job": "7", "runtime_tag": view.tags[slurm.pid, slurm.started_ns], "scheduler": "slurm"},
    ]
