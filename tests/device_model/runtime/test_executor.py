"""Executions on a host where something is wrong: when they end, what they count, and how they go on afterwards."""

import pytest

from device_model.runtime.impairment import REFUSED_NS
from device_model.runtime.process import TIMEOUT_NS, Process
from device_model.simulation import NS, Simulation
from neurontools.schema.events import KERNEL_LOG, PROCESS_END
from neurontools.schema.snapshot import Core
from tests.device_model.hosts import forward, host, process_of, server, workload_of
from tests.device_model.invariants import check_grown, check_sums
from tests.device_model.workloads.servers import encoder

BUSY_SERVER = server(tp=4, model="opt-6.7b", arrivals={"kind": "closed", "users": 4})


def serving(seconds: float = 8.0) -> Simulation:
    """A server on cores 0 to 3 that is always busy."""
    return forward(host(BUSY_SERVER, instance="inf2.24xlarge"), seconds)


def process(model: Simulation) -> Process:
    (found,) = model._world.runtime.processes.values()
    return found


def cores(model: Simulation) -> list[Core]:
    return [core for device in model.snapshot().devices for core in device.cores][:4]


def completed(model: Simulation) -> int:
    reading = process_of(model, "a")
    return -1 if reading is None else (reading.executions or {})["completed"]


def test_a_step_under_way_ends_as_it_began_and_the_next_goes_by_what_has_changed() -> None:
    model = serving()
    execution = model._world.runtime.under_way(process(model))
    assert execution is not None
    boundary_ns, step_ns = execution.run.boundary_after(model.now_ns + 1), execution.run.step_ns
    model.inject("straggler", {"core": 1}, {"factor": 2.0})
    model.advance(boundary_ns - 1)
    assert len(process(model).groups) == 1
    model.advance(boundary_ns)
    slower = model._world.runtime.under_way(process(model))
    assert slower is not None
    assert len(process(model).groups) == 2
    assert slower.run.start_ns == boundary_ns
    assert slower.run.step_ns > step_ns


def test_a_hang_lasts_for_the_time_out_from_the_beginning_of_the_execution() -> None:
    model = serving()
    model.inject("hang", {"core": 1}, {})
    execution = model._world.runtime.under_way(process(model))
    assert execution is not None
    began_ns = execution.run.end_ns
    forward(model, 40)
    (end,) = [event for event in model.events(0).events if event.kind == PROCESS_END]
    assert end.time_ns == began_ns + TIMEOUT_NS
    assert end.text.endswith(": exit status 1 (NRT_TIMEOUT)")


@pytest.mark.parametrize(("timeout", "timeout_s"), [(None, 30), ("4s", 4), ("10m", 600)])
def test_an_execution_that_takes_too_long_times_out_wherever_it_runs(timeout: str | None, timeout_s: int) -> None:
    """Cores work on until then; what they do is lost. Here one takes some 40 s."""
    changes = {} if timeout is None else {"execution_timeout": timeout}
    model = forward(host(BUSY_SERVER | changes, instance="inf2.24xlarge"), 8)
    model.inject("straggler", {"core": 1}, {"factor": 999.0})
    model.inject("throttle", {"device": 0}, {"factor": 3.0})
    forward(model, 1)
    execution, before = model._world.runtime.under_way(process(model)), cores(model)
    assert execution is not None
    assert 30 * NS < execution.run.step_ns < 60 * NS
    forward(model, timeout_s - 2)
    moved = [late.flops - early.flops for early, late in zip(before, cores(model), strict=True)]  # type: ignore[operator]
    assert all(flops > 0 for flops in moved)
    if timeout == "10m":
        assert completed(model) > 0
        return
    done = completed(model)
    forward(model, 3)
    (end,) = [event for event in model.events(0).events if event.kind == PROCESS_END]
    assert end.text.endswith(": exit status 1 (NRT_TIMEOUT)")
    assert end.time_ns == execution.begun_ns + timeout_s * NS
    lines = [event.text for event in model.events(0).events if f"timeout ({timeout_s}000 ms)" in event.text]
    assert [f"[ND {core // 2}][NC {core % 2}]" in line for core, line in enumerate(lines)] == [True] * 4
    for core in cores(model):
        status = core.status or {}
        assert (status["timeout"].total, status["hw_collectives_error"].total) == (1, 0)
        assert status["success"].total == (core.other_info or {})["inference_count"].total == done
    assert not any(event.kind == KERNEL_LOG for event in model.events(0).events)


def test_while_a_core_hangs_all_are_busy_and_nothing_is_done() -> None:
    model = serving()
    model.inject("hang", {"core": 1}, {})
    forward(model, 1)
    before, done = cores(model), completed(model)
    forward(model, 10)
    for number, (early, late) in enumerate(zip(before, cores(model), strict=True)):
        busy_ns, waits_ns = ((getattr(late, name) - getattr(early, name)) for name in ("busy_ns", "collectives_ns"))
        assert busy_ns == pytest.approx(10 * NS, rel=1e-4)
        assert waits_ns == (0 if number == 1 else pytest.approx(10 * NS, rel=1e-4))
        assert (late.flops, late.hbm_read_bytes, late.other_info) == (
            early.flops,
            early.hbm_read_bytes,
            early.other_info,
        )
    assert completed(model) == done


def test_a_healed_hang_lets_the_execution_begin_anew() -> None:
    model, sound = serving(), serving()
    number = model.inject("hang", {"core": 1}, {})
    forward(model, 12)
    model.heal(number)
    forward(model, 5)
    forward(sound, 5.01)
    reading = process_of(model, "a")
    assert reading is not None
    assert reading.errors == dict.fromkeys(reading.errors or {}, 0)
    assert workload_of(model).failed == 0
    assert completed(model) == pytest.approx(completed(sound), abs=3), "nothing is lost but the time"
    assert not process(model).careful


@pytest.mark.parametrize(
    ("fault", "target"),
    [("straggler", {"core": 1}), ("throttle", {"device": 1}), ("link-degraded", {"link": [0, 1]}),
     ("nan", {"process": "a"}), ("bad-input", {"process": "a"})],
)  # fmt: skip
def test_once_all_is_sound_again_nothing_is_looked_at_any_more(fault: str, target: dict[str, object]) -> None:
    model = serving()
    assert not process(model).careful
    model.inject(fault, target, {}, for_ns=3 * NS)
    before = model.snapshot()
    forward(model, 2)
    assert process(model).careful
    forward(model, 3)
    assert not process(model).careful
    assert len(process(model).groups) == 1
    check_grown(before, model.snapshot())
    check_sums(model)


def test_while_a_device_is_reset_executions_are_refused_and_tried_again() -> None:
    model = serving()
    model.inject("device-reset", {"device": 1}, {"seconds": 10.0})
    forward(model, 1)
    before, reading = cores(model), process_of(model, "a")
    forward(model, 5)
    assert [core.busy_ns for core in cores(model)] == [core.busy_ns for core in before]
    later = process_of(model, "a")
    assert reading is not None
    assert later is not None
    refused = (later.executions or {})["failed_to_queue"] - (reading.executions or {})["failed_to_queue"]
    assert 2 <= refused <= 5 * NS // REFUSED_NS, "the users ask again a while after each refusal"
    assert model.snapshot().devices[1].reset_state == "reset"
    done = completed(model)
    forward(model, 10)
    assert completed(model) > done
    assert model.snapshot().devices[1].reset_state == "ready"


def test_a_process_waits_with_its_load_for_a_device_that_is_reset() -> None:
    late = BUSY_SERVER | {"start": "5s"}
    model = forward(host(late, instance="inf2.24xlarge"), 3)
    model.inject("device-reset", {"device": 0}, {"seconds": 10.0})
    forward(model, 7)
    reading = process_of(model, "a")
    assert reading is not None
    assert reading.models == ()
    assert sum(core.hbm_written_bytes or 0 for core in cores(model)) == 0
    forward(model, 12)
    assert completed(model) > 0


def test_a_process_that_ends_while_it_waits_loads_nothing_afterwards() -> None:
    model = forward(host(BUSY_SERVER | {"start": "5s"}, instance="inf2.24xlarge"), 3)
    model.inject("device-reset", {"device": 0}, {"seconds": 10.0})
    forward(model, 4)
    model.inject("crash", {"process": "a"}, {})
    forward(model, 30)
    assert sum(core.hbm_written_bytes or 0 for core in cores(model)) == 0


def test_a_slow_lane_does_not_stop_the_others() -> None:
    model = forward(host(encoder(workers=2, batch=1), instance="inf2.xlarge"), 4)
    model.inject("straggler", {"core": 1}, {"factor": 50.0})
    before = model.snapshot()
    forward(model, 3)
    first, second = (
        (late.other_info or {})["inference_count"].total - (early.other_info or {})["inference_count"].total
        for early, late in zip(before.devices[0].cores, model.snapshot().devices[0].cores, strict=True)
    )
    assert second > 0
    assert first > 10 * second


def test_an_error_of_one_lane_is_counted_on_its_cores_alone() -> None:
    model = forward(host(encoder(workers=2, batch=1), instance="inf2.xlarge"), 4)
    model.inject("out-of-bounds", {"process": "a"}, {})
    forward(model, 1)
    counted = [(core.status or {})["oob_error"].total for core in model.snapshot().devices[0].cores]
    assert sorted(counted) == [0, 1]
    reading = process_of(model, "a")
    assert reading is not None
    assert (reading.executions or {})["completed_with_err"] == 1
    assert workload_of(model).failed == 1


def test_a_new_process_meets_what_lasts_on_its_cores() -> None:
    late = BUSY_SERVER | {"start": "5s", "restart": "10s"}
    model = forward(host(late, instance="inf2.24xlarge"), 1)
    number = model.inject("dma-abort", {"core": 2}, {})
    forward(model, 59)
    ends = [event for event in model.events(0).events if event.kind == PROCESS_END]
    assert len(ends) >= 2
    assert {end.text for end in ends} == {"python serve.py: exit status 1 (NRT_EXEC_HW_ERR_DMA_ABORT)"}
    model.heal(number)
    forward(model, 30)
    assert completed(model) > 0
