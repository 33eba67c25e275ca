"""neuron-ls, neuron-monitor and neuron-top show what a fault of each family brings about within one period."""

from typing import Any

import pytest

from neurontools.commands import ls, monitor, top
from tests.device_model.daemons import cli, running, short_directory, socket_in
from tests.device_model.faults.sources import Tools
from tests.device_model.hosts import forward, host, server

MONITOR_S, TOP_S = 5, 1


def tools(instance: str = "inf2.48xlarge") -> tuple[Any, Tools]:
    """A host with a busy server on the first two devices, and the tools on it."""
    process = server("a", tp=4, model="opt-6.7b", arrivals={"kind": "closed", "users": 4})
    model = forward(host(process, instance=instance), 12)
    return model, Tools(model)


def stats(document: Any) -> Any:
    return document["neuron_runtime_data"][0]["report"]["execution_stats"]


def grid(screen: str) -> str:
    """The rows of the cores."""
    return screen[screen.index("NeuronCore") : screen.index("vCPU Usage")]


def test_memory_errors_are_counted_and_the_process_is_gone() -> None:
    model, shown = tools()
    model.inject("hbm-corrected", {"core": 1}, {"rate": 36_000.0})
    document = shown.monitor(MONITOR_S)
    counters = document["system_data"]["neuron_hw_counters"]["neuron_devices"]
    assert counters[0]["mem_ecc_corrected"] > 20
    assert stats(document)["error_summary"]["transient"] == counters[0]["mem_ecc_corrected"]
    model.inject("hbm-uncorrected", {"core": 1}, {})
    assert "a [" not in shown.top(TOP_S)
    document = shown.monitor(MONITOR_S - TOP_S)
    assert document["system_data"]["neuron_hw_counters"]["neuron_devices"][0]["mem_ecc_uncorrected"] == 1
    assert document["neuron_runtime_data"] == []
    assert all(device["neuron_processes"] == [] for device in shown.ls())


def test_a_core_that_hangs_is_busy_and_completes_nothing() -> None:
    model, shown = tools()
    model.inject("hang", {"core": 1}, {})
    forward(model, 1)
    shown.monitor()
    document = shown.monitor(MONITOR_S)
    assert stats(document)["execution_summary"] == dict.fromkeys(stats(document)["execution_summary"], 0)
    used = document["neuron_runtime_data"][0]["report"]["neuroncore_counters"]["neuroncores_in_use"]
    assert [round(core["neuroncore_utilization"]) for core in used.values()] == [100] * 4
    assert [core["flops"] for core in used.values()] == [0] * 4
    assert grid(shown.top(TOP_S)).count("100.00%") >= 4


def test_a_slow_link_shows_in_rates_and_latencies() -> None:
    model, shown = tools()
    sound = shown.monitor(MONITOR_S)
    model.inject("link-down", {"link": [5, 6]}, {})
    model.inject("link-degraded", {"link": [0, 1]}, {"factor": 50.0})
    forward(model, 1)
    shown.monitor()
    struck = shown.monitor(MONITOR_S)
    assert (
        stats(struck)["latency_stats"]["device_latency"]["p50"]
        > 2 * stats(sound)["latency_stats"]["device_latency"]["p50"]
    )
    links = [struck["neurontools"]["devices"][device]["links"] for device in (0, 5)]
    before = sound["neurontools"]["devices"][0]["links"]
    assert rate(links[0], 1) < 0.6 * rate(before, 1)
    assert {link["peer"]: link["up"] for link in links[1]} == {4: True, 6: False}


def rate(links: list[dict[str, Any]], peer: int) -> float:
    (found,) = [float(link["transmitted_bytes_per_s"]) for link in links if link["peer"] == peer]
    return found


def test_a_program_that_goes_wrong_shows_in_its_errors_and_its_memory() -> None:
    model, shown = tools()
    model.inject("nan", {"process": "a"}, {"share": 0.2})
    model.inject("leak", {"process": "a"}, {"bytes": 2e9})
    before = shown.top(TOP_S)
    document = shown.monitor(MONITOR_S)
    assert stats(document)["error_summary"]["numerical"] > 10
    assert (
        stats(document)["execution_summary"]["completed_with_num_err"] == stats(document)["error_summary"]["numerical"]
    )
    held = document["neuron_runtime_data"][0]["report"]["memory_used"]["neuron_runtime_used_bytes"]
    tensors = [core["tensors"] for core in held["usage_breakdown"]["neuroncore_memory_usage"].values()]
    assert min(tensors) > 2e9
    assert shown.top(TOP_S).split("Device Used Memory")[1][:40] != before.split("Device Used Memory")[1][:40]
    model.inject("crash", {"process": "a"}, {})
    assert shown.monitor(MONITOR_S)["neuron_runtime_data"] == []


def test_a_device_that_is_reset_does_nothing_and_one_that_is_throttled_takes_longer() -> None:
    model, shown = tools()
    sound = shown.monitor(MONITOR_S)
    model.inject("throttle", {"device": 0}, {"factor": 5.0})
    slow = shown.monitor(MONITOR_S)
    latencies = [stats(document)["latency_stats"]["total_latency"]["p99"] for document in (sound, slow)]
    assert latencies[1] > 2 * latencies[0]
    model.inject("device-reset", {"device": 0}, {"seconds": 60.0})
    forward(model, 1)
    shown.monitor()
    document = shown.monitor(MONITOR_S)
    assert stats(document)["execution_summary"]["failed_to_queue"] > 0
    assert stats(document)["execution_summary"]["completed"] == 0
    assert "0.00%" in grid(shown.top(TOP_S))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("driver-missing", "the Neuron driver is not loaded"),
     ("sysfs-unreadable", "permission denied (EACCES)"),
     ("driver-old", "needs driver 2.21.37 or later, found 2.20.28")],
)  # fmt: skip
def test_tools_that_are_running_say_what_is_wrong_with_the_driver(fault: str, reason: str) -> None:
    model, shown = tools()
    model.inject(fault, {}, {})
    assert reason in shown.top(TOP_S)
    document = shown.monitor(MONITOR_S)
    if fault == "driver-missing":
        assert document["system_data"]["memory_info"]["error"] == "failed to discover Neuron devices"
    else:
        error = document["neuron_runtime_data"][0]["report"]["neuroncore_counters"]["error"]
        assert reason in error
    model.heal("all")
    forward(model, 30)
    shown.monitor()
    assert shown.monitor(MONITOR_S)["system_data"]["neuron_hw_counters"]["error"] == ""
    assert reason not in shown.top(TOP_S)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("driver-missing", "the Neuron driver is not loaded"), ("sysfs-unreadable", "permission denied (EACCES)")],
)
def test_tools_that_start_find_no_devices_and_end(fault: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    with short_directory() as directory, running(directory, "--scenario", "idle", "--stepped"):
        source = f"--source=model:{socket_in(directory)}"
        assert cli(directory, "inject", fault).returncode == 0
        assert cli(directory, "advance", "10s").returncode == 0
        for main, name in ((ls.main, "neuron-ls"), (monitor.main, "neuron-monitor"), (top.main, "neuron-top")):
            assert main([source, *([] if name == "neuron-ls" else ["--once"])]) == 1
            out, err = capfd.readouterr()
            assert out == ""
            lines = err.splitlines()
            assert len(lines) == 2
            assert "failed to discover Neuron devices" in lines[0]
            assert lines[0].startswith("time=") == (name != "neuron-top"), "AWS's line where AWS has one"
            assert lines[1].startswith(f"{name}: ")
            assert reason in lines[1]
