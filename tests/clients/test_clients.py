"""Programs that people run on AWS's tools, unmodified from the registry, find the simulated host and its numbers."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from device_model.scenario import load
from device_model.simulation import NS, Simulation
from neurontools.schema.interval import between
from neurontools.schema.snapshot import Process
from tests.device_model.daemons import ROOT, cli, short_directory
from tests.device_model.mounts import mountable
from tests.device_model.publish.tree.trees import directory

pytestmark = pytest.mark.clients

CLIENTS = ROOT / "build" / "clients"
PROGRAMS = Path(__file__).parent / "programs"
MODEL = f"{sys.executable} -m device_model"


def on(instance: str) -> tuple[str, ...]:
    return ("--scenario", "idle", "--stepped", "--instance", instance)


INFERENTIA2 = on("inf2.48xlarge")


def report(
    client: str, program: str, *arguments: str, host: tuple[str, ...] = INFERENTIA2, before: str = "true"
) -> Any:
    """What a program says that runs on a simulated host with a client's own environment; `before` is done first."""
    python = CLIENTS / client / "bin" / "python"
    assert python.exists(), "the clients' environments are missing: make test-clients"
    command = " ".join([str(python), str(PROGRAMS / program), *arguments])
    with short_directory() as place, directory() as memory:
        mounted = ("--host", str(memory / "tree"), "--mount") if os.geteuid() == 0 else ()
        script = f"{before} >&2; cd {memory}; {command}"
        ended = cli(place, "run", *host, *mounted, "--", "sh", "-c", script, patience_s=120)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@mountable
@pytest.mark.parametrize(
    ("instance", "cores"), [("inf2.48xlarge", 24), ("trn1.32xlarge", 32), ("trn2.48xlarge", 64), ("trn1.2xlarge", 2)]
)
def test_ray_offers_the_hosts_cores(instance: str, cores: int) -> None:
    assert report("ray", "ray_cores.py", host=on(instance)) == {"cores": cores, "type": "aws-neuron-core"}


@mountable
def test_ray_offers_nothing_while_the_driver_is_not_loaded() -> None:
    without = report("ray", "ray_cores.py", before=f"{MODEL} inject driver-missing")
    assert without == {"cores": 0, "type": "aws-neuron-core"}


@pytest.mark.parametrize(("instance", "cores"), [("inf2.48xlarge", 24), ("trn1.32xlarge", 32), ("trn2.3xlarge", 4)])
def test_sagemaker_training_counts_the_hosts_cores(instance: str, cores: int) -> None:
    assert report("sagemaker-training", "sagemaker_cores.py", f"ml.{instance}", host=on(instance)) == {"cores": cores}


def test_sagemaker_training_counts_nothing_while_the_driver_is_not_loaded() -> None:
    before = f"{MODEL} inject driver-missing"
    assert report("sagemaker-training", "sagemaker_cores.py", "ml.inf2.48xlarge", before=before) == {"cores": 0}


@mountable
@pytest.mark.parametrize("tag", ["chat", "batch-eval"])
def test_wandb_notes_what_the_process_beside_it_uses(tag: str) -> None:
    model = Simulation(load("two-tenants"))
    model.advance(model.now_ns + 120 * NS)
    past, now = model.past(NS), model.snapshot()
    assert past is not None
    (process,) = [process for process in now.processes or () if process.tag == tag]
    percents = {core.core: core.utilization_percent for core in between(past, now).cores}
    host = ("--scenario", "two-tenants", "--stepped")
    found = report("wandb", "wandb_run.py", ".", str(process.pid), host=host, before=f"{MODEL} advance 2m")
    assert (found["devices"], found["cores_per_device"]) == (12, 2)
    sample = found["sample"]
    cores = {int(key.split(".")[1]) for key in sample if key.endswith("utilization")}
    assert cores == set(process.cores)
    for core in cores:
        assert sample[f"trn.{core}.neuroncore_utilization"] == pytest.approx(percents[core], abs=1e-6) != 0
    check_memory(sample, process)


def test_scalene_sees_the_load_of_every_process() -> None:
    model = Simulation(load("two-tenants"))
    model.advance(model.now_ns + 120 * NS)
    past, now = model.past(NS), model.snapshot()
    assert past is not None
    period = between(past, now)
    busy = [core.utilization_percent for core in period.cores if core.utilization_percent]
    held = sum(
        size for process in now.processes or () for each in (process.memory or {}).values() for size in each.values()
    )
    host = ("--scenario", "two-tenants", "--stepped")
    found = report("scalene", "scalene_stats.py", host=host, before=f"{MODEL} advance 2m")
    assert (found["device"], found["cores"]) == ("Neuron", len(busy))
    assert found["utilization"] == pytest.approx(sum(busy) / len(busy) / 100, rel=1e-9)
    assert found["memory_mib"] == held / 2**20
    assert 0 < found["vcpu_percent"] < 100


@mountable
def test_optimum_neuron_reads_the_memory_of_every_core() -> None:
    model = Simulation(load("two-tenants"))
    model.advance(model.now_ns + 120 * NS)
    host = ("--scenario", "two-tenants", "--stepped")
    found = report("optimum-neuron", "optimum_memory.py", host=host, before=f"{MODEL} advance 2m")
    devices = model.snapshot().devices
    assert sorted(found) == sorted(f"neuron{device.index}" for device in devices)
    for device in devices:
        cores = found[f"neuron{device.index}"]
        assert len(cores) == len(device.cores)
        for number, core in enumerate(device.cores):
            counted = {name: memory.total for name, memory in (core.memory or {}).items()}
            assert {name: size for name, size in cores[f"neuron_core{number}"].items() if size} == {
                name: size for name, size in counted.items() if size
            }


def check_memory(sample: dict[str, float], process: Process) -> None:
    """The bytes by category are the model's own, and the total is their sum."""
    held = process.memory or {}
    for core, categories in held.items():
        for category in ("constants", "model_code", "model_shared_scratchpad", "tensors"):
            assert sample[f"trn.{core}.neuroncore_memory_usage.{category}"] == categories.get(category, 0)
    total = sum(size for categories in held.values() for size in categories.values())
    assert sample["trn.neuron_device_total_memory_usage"] == total
    assert sample["trn.host_memory_usage.dma_buffers"] > 0
