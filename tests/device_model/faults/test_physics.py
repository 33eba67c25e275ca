"""Faults go the right way: what they slow is slower, by as much as they say, and looks as it does on hardware."""

from typing import Any, NamedTuple

import pytest

from device_model.simulation import NS, Simulation
from neurontools.schema.events import PROCESS_END
from neurontools.schema.interval import CoreInterval, DeviceInterval, Interval, between
from neurontools.schema.snapshot import Snapshot
from tests.device_model.hosts import forward, host, process_of, server

STEADY: dict[str, Any] = {
    "model": "opt-13b",
    "context": 2048,
    "arrivals": {"kind": "closed", "users": 4},
    "prompt": {"mean": 60},
    "output": {"mean": 400},
}
"""A server that decodes nearly all the time."""


class Scene(NamedTuple):
    """A server on eight logical cores from core 0 on."""

    instance: str
    size: int


SCENES = [Scene("inf2.48xlarge", 1), Scene("trn2.48xlarge", 2)]


def serving(scene: Scene) -> Simulation:
    return forward(host(server("a", tp=8, **STEADY), instance=scene.instance), 16)


def over(model: Simulation, seconds: float) -> Interval:
    before: Snapshot = model.snapshot()
    return between(before, forward(model, seconds).snapshot())


def engines(core: CoreInterval) -> float:
    assert core.engines is not None
    assert core.engines.tensor is not None
    return core.engines.tensor


def tokens(interval: Interval) -> float:
    work = interval.processes[0].workload
    assert work is not None
    assert work.generated_tokens_per_s is not None
    return work.generated_tokens_per_s


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("factor", [1.5, 4.0])
def test_a_straggler_makes_all_slower_and_its_peers_wait(scene: Scene, factor: float) -> None:
    model = serving(scene)
    sound = over(model, 20)
    model.inject("straggler", {"core": 5}, {"factor": factor})
    forward(model, 1)
    struck = over(model, 20)
    for core, before in zip(struck.cores[:8], sound.cores[:8], strict=True):
        assert core.utilization_percent == pytest.approx(before.utilization_percent, abs=2), "all look as busy as ever"
    assert tokens(struck) < tokens(sound) * (0.8 if factor == 1.5 else 0.4)
    slow, peer, was = struck.cores[5], struck.cores[0], sound.cores[0]
    assert (peer.collectives_percent or 0) > (was.collectives_percent or 0) + 10
    assert slow.collectives_percent is not None
    assert slow.collectives_percent < (peer.collectives_percent or 0) - 10
    assert slow.flops == peer.flops, "the same work"
    assert engines(slow) == pytest.approx(factor * engines(peer), rel=0.02), "for which its engines take longer"


@pytest.mark.parametrize("scene", SCENES)
def test_throttling_is_of_all_cores_of_the_device(scene: Scene) -> None:
    model = serving(scene)
    model.inject("throttle", {"device": 1}, {"factor": 2.0})
    forward(model, 1)
    struck = over(model, 20)
    used = struck.cores[:8]
    throttled = [core for core in used if core.device == 1]
    others = [core for core in used if core.device != 1]
    assert throttled
    assert others
    assert min(map(engines, throttled)) == pytest.approx(2 * max(map(engines, others)), rel=0.02)


@pytest.mark.parametrize("scene", SCENES)
def test_a_degraded_link_carries_less_and_collectives_take_longer(scene: Scene) -> None:
    model = serving(scene)
    sound = over(model, 20)
    model.inject("link-degraded", {"link": [0, 1]}, {"factor": 8.0})
    forward(model, 1)
    struck = over(model, 20)
    assert tokens(struck) < 0.9 * tokens(sound)
    assert (struck.cores[0].collectives_percent or 0) > (sound.cores[0].collectives_percent or 0) + 5
    assert rate(struck.devices[0], 1) < 0.9 * rate(sound.devices[0], 1)


def rate(device: DeviceInterval, peer: int) -> float:
    (link,) = [link for link in device.links or () if link.peer == peer]
    assert link.transmitted_bytes_per_s is not None
    return link.transmitted_bytes_per_s


@pytest.mark.parametrize("scene", SCENES)
def test_collectives_that_do_not_use_the_link_do_not_mind(scene: Scene) -> None:
    model, twin = serving(scene), serving(scene)
    model.inject("link-down", {"link": [7, 8] if scene.size == 1 else [8, 9]}, {})
    assert over(model, 20).processes == over(twin, 20).processes


@pytest.mark.parametrize("scene", SCENES)
def test_a_hang_looks_busy_and_through_the_driver_idle(scene: Scene) -> None:
    model = serving(scene)
    model.inject("hang", {"core": 5}, {})
    forward(model, 1)
    hung = over(model, 20)
    for core in hung.cores[:8]:
        assert core.utilization_percent == pytest.approx(100, abs=0.1)
        assert (core.other_info or {})["nc_time_in_use"] == 0, "credited when an execution completes"
        assert (core.flops, core.executions) == (0, 0)
    assert tokens(hung) == 0


@pytest.mark.parametrize("scene", SCENES)
def test_a_leak_grows_as_fast_as_it_says_until_memory_runs_out(scene: Scene) -> None:
    model = serving(scene)
    before = process_of(model, "a")
    model.inject("leak", {"process": "a"}, {"bytes": 8e9})
    leaking = process_of(forward(model, 5), "a")
    assert before is not None
    assert leaking is not None
    grown = sum(sum(held.values()) for held in (leaking.memory or {}).values()) - sum(
        sum(held.values()) for held in (before.memory or {}).values()
    )
    assert grown == pytest.approx(5 * 8e9, rel=0.01)
    used = [bank.used_bytes or 0 for bank in model.snapshot().devices[0].banks]
    room = model.snapshot().devices[0].banks[0].total_bytes - max(used)
    per_bank = 8e9 / (8 * scene.size) * scene.size
    forward(model, room / per_bank - 5)
    assert process_of(model, "a") is not None
    forward(model, 10)
    assert process_of(model, "a") is None
    ends = [event for event in model.events(0).events if event.kind == PROCESS_END]
    assert ends[-1].text.endswith("exit status 1 (NRT_RESOURCE)")


def test_a_healed_leak_keeps_what_it_took() -> None:
    model = serving(SCENES[0])
    model.inject("leak", {"process": "a"}, {"bytes": 8e9}, for_ns=3 * NS + 1)
    levels = []
    for _ in range(4):
        banks = forward(model, 2).snapshot().devices[0].banks
        levels.append(banks[0].used_bytes or 0)
    assert levels[0] < levels[1] == levels[2] == levels[3]


@pytest.mark.parametrize(("fault", "tally"), [("nan", "completed_with_num_err"), ("bad-input", "incorrect_input")])
def test_a_share_of_all_executions_is_spoilt_those_of_a_long_run_too(fault: str, tally: str) -> None:
    model = serving(SCENES[0])
    model.inject(fault, {"process": "a"}, {"share": 0.04})
    counts = over(model, 60).processes[0].executions or {}
    # That draws have their share is tested where they are made; here it is that each execution has its own.
    assert 0.02 < counts[tally] / (counts["completed"] + counts[tally]) < 0.08


def test_an_uncorrected_error_where_nobody_works_ends_nobody() -> None:
    model = serving(SCENES[0])
    model.inject("hbm-uncorrected", {"core": 20}, {})
    forward(model, 5)
    assert process_of(model, "a") is not None
    assert (model.snapshot().devices[10].ecc or {})["mem_ecc_uncorrected"] == 1


def test_an_error_in_a_bank_that_two_share_ends_the_one_whose_core_it_is() -> None:
    model = host(
        server("a", tp=1), server("b", tp=1, arrivals={"kind": "closed", "users": 4}), instance="trn2.3xlarge",
        logical_neuroncore_config=1,
    )  # fmt: skip
    forward(model, 5)
    model.inject("hbm-corrected", {"core": 1}, {"rate": 3600.0})
    model.inject("hbm-uncorrected", {"core": 1}, {})
    forward(model, 5)
    neighbour = process_of(model, "a")
    assert neighbour is not None
    assert (neighbour.errors or {})["transient"] > 0, "they share the bank"
    assert process_of(model, "b") is None
