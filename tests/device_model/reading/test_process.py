"""A process as tools see it."""

import pytest

from device_model.runtime.loading import MICROCODE_BYTES
from neurontools.units import MIB
from tests.device_model.hosts import CLOSED, forward, host, process_of, server


def test_a_process_says_who_it_is_and_what_it_holds() -> None:
    model = forward(host(server("chat", arrivals=CLOSED, user="alice", command="python chat.py", tp=4)), 10)
    process = process_of(model, "chat")
    assert process is not None
    assert (process.user, process.command, process.started_ns) == ("alice", "python chat.py", model.epoch_ns)
    assert process.cores == (0, 1, 2, 3)
    assert process.groups == ((0, 1, 2, 3),)
    (loaded,) = process.models or ()
    assert loaded.name == "opt-1.3b.neff"
    assert [(part.core, part.device) for part in loaded.subgraphs] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    for part in loaded.subgraphs:
        held = (process.memory or {})[part.core]
        for category, size in part.device_memory.items():
            assert size <= held.get(category, 0) <= size + MICROCODE_BYTES + 3 * MIB, category
        assert part.device_memory["constants"] == pytest.approx(1.3e9 * 2 / 4, rel=0.1)
    assert (process.resident_bytes or 0) > sum((process.host_memory or {}).values()) > 0


def test_a_single_core_is_no_group() -> None:
    process = process_of(forward(host(server("a", tp=1)), 5), "a")
    assert process is not None
    assert (process.cores, process.groups) == ((0,), ())


def test_a_process_without_a_model_has_none() -> None:
    model = forward(host(server("a", arrivals=CLOSED, reload={"every": "4s", "pause": "1h"})), 30)
    process = process_of(model, "a")
    assert process is not None
    assert process.models == ()
    assert {size for held in (process.memory or {}).values() for size in held.values()} >= {0}
    assert (process.executions or {})["completed"] > 0


def test_models_are_numbered_and_named_for_good() -> None:
    names = []
    for seed in (1, 1, 2):
        process = process_of(forward(host(server("a"), seed=seed), 5), "a")
        assert process is not None
        (loaded,) = process.models or ()
        names.append((loaded.model_id, loaded.uuid))
    assert names[0] == names[1] != names[2]


def test_a_total_latency_is_longer_than_that_on_the_device() -> None:
    process = process_of(forward(host(server("a", arrivals=CLOSED)), 20.0003), "a")
    assert process is not None
    assert process.latency_total is not None
    assert process.latency_device is not None
    assert 0 < process.latency_device.sum_ns < process.latency_total.sum_ns
    launch = (process.latency_total.sum_ns - process.latency_device.sum_ns) / process.latency_total.count
    assert launch == pytest.approx(108_000)
