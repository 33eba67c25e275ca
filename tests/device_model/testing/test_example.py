"""Tests of a program that watches a Neuron host, on simulated hosts that are well, broken, slow, and of one's own."""

import json
import subprocess

from device_model.testing.node import NeuronNode, NeuronNodeFactory
from neurontools.schema.interval import totals


def broken_devices(env: dict[str, str]) -> list[int]:
    """The program under test: it asks neuron-monitor, on a real host as on a simulated one."""
    ran = subprocess.run(["neuron-monitor", "--once"], env=env, capture_output=True, text=True, check=True)
    devices = json.loads(ran.stdout)["system_data"]["neuron_hw_counters"]["neuron_devices"]
    return [device["neuron_device_index"] for device in devices if device["mem_ecc_uncorrected"]]


def test_a_memory_error_is_found(neuron_node: NeuronNodeFactory) -> None:
    node = neuron_node(instance="inf2.24xlarge", scenario="idle")
    node.advance("1m")
    assert broken_devices(node.env) == []
    node.inject("hbm-uncorrected", core=5)
    # Within the 5 s whose errors neuron-monitor counts.
    node.advance(2)
    assert broken_devices(node.env) == [2]


def tokens_per_s(node: NeuronNode) -> float:
    return totals(node.interval("1m")).generated_tokens_per_s or 0.0


def test_a_slow_core_slows_the_server(neuron_node: NeuronNodeFactory) -> None:
    well, slow = neuron_node(scenario="opt-30b"), neuron_node(scenario="opt-30b")
    slow.inject("straggler", core=0, factor=3.0)
    for node in (well, slow):
        node.advance("5m")
    assert 0.0 < tokens_per_s(slow) < 0.9 * tokens_per_s(well)


def test_a_host_of_ones_own(neuron_node: NeuronNodeFactory) -> None:
    workload = {"kind": "vision", "model": "resnet50", "batch": 8, "arrivals": {"kind": "poisson", "per_second": 100.0}}
    process = {"name": "shop", "command": "python serve.py", "workload": workload}
    node = neuron_node(scenario={"description": "a shop", "instance": "trn1.2xlarge", "processes": [process]})
    node.advance("2m")
    (device,) = json.loads(node.run(["neuron-ls", "--json-output"]).stdout)
    assert [holder["command"] for holder in device["neuron_processes"]] == ["python serve.py"]
