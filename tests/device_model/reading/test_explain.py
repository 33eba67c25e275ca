"""Explanations: of every core at any instant, with the numbers that the tools show, and without changing anything."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from msgspec.structs import astuple

from device_model.kernel.chance import Chance
from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.reading.explanation import Explanation, State
from device_model.reading.sentences import HEADLINE, MEANINGS, milliseconds, percent_text, rate
from device_model.scenario import load, shipped
from device_model.simulation import NS, Simulation
from neurontools.hardware.chips import core_memory_bytes_per_s, core_share
from neurontools.hardware.instances import chip_of, lookup
from neurontools.schema.document import encode
from neurontools.schema.interval import between
from tests.device_model.hosts import CLOSED, busy_host, costly, forward, host, process_of, readings, server

STEPS = st.lists(st.sampled_from([0, 1, 250_000_000, 777_777_777, 3 * NS, 12 * NS]), min_size=1, max_size=3)
CORES = st.integers(0, 1000)

LOOKS, STARTED_NS = 12, 10 * NS
"""How often a scenario is looked at until about when its servers are loaded and work."""


def text_of(found: Explanation, topic: str) -> str:
    """What is said about one topic; nothing where it is passed over."""
    return next((sentence.text for sentence in found.sentences if sentence.topic == topic), "")


def check_rates(model: Simulation, found: Explanation) -> None:
    """Every percentage is the one that the tools show, and is named."""
    previous = model.past(NS) or model.past(0)
    if previous is None or previous.head.time_ns == model.now_ns:
        assert found.period is None
        assert found.no_period
        assert found.no_period in text_of(found, "busy")
        return
    shown, period = between(previous, model.snapshot()).cores[found.core], found.period
    assert period is not None
    assert period.busy_percent == shown.utilization_percent
    assert period.collectives_percent == shown.collectives_percent
    assert period.flops_per_s == shown.flops_per_s
    assert (period.memory_read_bytes_per_s, period.memory_written_bytes_per_s) == (
        shown.hbm_read_bytes_per_s,
        shown.hbm_written_bytes_per_s,
    )
    assert period.executions == (shown.executions or 0) // len(found.physical_cores)
    assert percent_text(shown.utilization_percent or 0.0) in text_of(found, HEADLINE)
    if not period.busy_percent:
        return
    assert percent_text(period.busy_percent) in text_of(found, "busy")
    if shown.engines is None:
        assert found.no_engines
        assert found.no_engines in text_of(found, "engines")
    else:
        assert all(percent_text(share) in text_of(found, "engines") for share in astuple(shown.engines))


def check_bounded(model: Simulation, found: Explanation) -> None:
    """No share of a capacity exceeds it, and the parts of a step explain all of its time."""
    period, step = found.period, found.step
    if period is not None:
        chip = chip_of(lookup(model.instance))
        assert period.memory_capacity_bytes_per_s == len(found.physical_cores) * core_memory_bytes_per_s(chip)
        assert period.peak_flops_per_s == len(found.physical_cores) * (core_share(chip, "bf16") or 0.0)
        assert 0 <= (period.memory_percent or 0.0) <= 100.001
        assert 0 <= (period.flops_percent or 0.0) <= (period.busy_percent or 0.0) + 0.001
    if step is not None:
        assert step.bound in {part.name for part in step.parts}
        assert sum(part.percent for part in step.parts) >= 99.9 * (1 - step.idle_ns / step.duration_ns)
        assert 0 <= step.least_ns <= step.duration_ns
        assert milliseconds(step.duration_ns) in text_of(found, "step")
        assert MEANINGS[step.bound].words in text_of(found, "step")
        assert all(percent_text(part.percent) in text_of(found, "parts") for part in step.parts)


def check_explained(model: Simulation, number: int) -> None:
    """All that is said now of some core, and of one that is held where one is."""
    held = sorted({core for process in model.snapshot().processes or () for core in process.cores})
    size = model.snapshot().head.logical_neuroncore_config
    for core in {number % model.core_count, *[held[number % len(held)] // size for _ in held[:1]]}:
        before = encode(model.snapshot())
        found = model.explain(core)
        assert encode(model.snapshot()) == before
        assert found.sentences[0].topic == HEADLINE
        assert all(s.text.strip() and "None" not in s.text and "nan" not in s.text for s in found.sentences)
        check_rates(model, found)
        check_bounded(model, found)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_scenario_is_explained_as_it_starts(name: str) -> None:
    model, chance = Simulation(load(name)), Chance(1)
    for look in range(LOOKS):
        check_explained(model, chance.bits(name, "core", look))
        model.advance(model.now_ns + chance.exponential_ns(name, "look", look, STARTED_NS // LOOKS))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped()))
@given(STEPS, CORES)
@settings(max_examples=max(1, settings().max_examples // 20))
def test_every_core_of_every_scenario_is_explained_at_any_time(name: str, steps: list[int], number: int) -> None:
    model = Simulation(load(name))
    for step_ns in steps:
        check_explained(forward(model, step_ns / NS), number)


@given(st.lists(st.tuples(st.sampled_from([1, 777_777_777, 7 * NS]), CORES), min_size=1, max_size=3))
@costly
def test_asking_changes_nothing(moves: list[tuple[int, int]]) -> None:
    asked, alone = busy_host(), busy_host()
    for step_ns, number in moves:
        asked.advance(asked.now_ns + step_ns)
        assert asked.explain(number % asked.core_count) == asked.explain(number % asked.core_count)
        alone.advance(alone.now_ns + step_ns)
    assert readings(asked) == readings(alone)


def test_there_is_no_core_beyond_the_last() -> None:
    for instance, last in (("inf2.xlarge", 1), ("trn2.48xlarge", 63)):
        model = host(instance=instance)
        assert model.explain(last).physical_cores[-1] == len(model.explain(last).physical_cores) * (last + 1) - 1
        for wrong in (last + 1, -1):
            with pytest.raises(IndexError):
                model.explain(wrong)


def test_a_core_that_nobody_ever_held() -> None:
    found = forward(host(server()), 30).explain(5)
    assert (found.state, found.holder, found.last_holder, found.step, found.trust) == (State.FREE, *[None] * 4)
    assert "no process holds it" in text_of(found, HEADLINE)
    assert text_of(found, "held by") == "Nobody holds it, and nobody has loaded a model on it since the host's start."


def test_the_holder_and_its_cores_are_named() -> None:
    found = forward(host(server(tp=8, start="2s", user="alice", command="serve me")), 30).explain(3)
    assert found.holder is not None
    assert (found.holder.tag, found.holder.user, found.holder.kind) == ("a", "alice", "llm")
    assert found.holder.cores == found.holder.group == tuple(range(8))
    assert text_of(found, "held by") == (
        f"a (pid {found.holder.pid}, user alice) has held NeuronCores 0-7 for 28s, since 2s after the host's start. "
        "They execute in lockstep. It runs: serve me"
    )


def test_loading_is_no_execution() -> None:
    model = forward(host(server(model="opt-30b", tp=8)), 3)
    found = model.explain(0)
    assert found.state is State.LOADING
    assert found.loading is not None
    assert found.period is not None
    assert found.period.busy_percent == 0
    assert 0 < found.loading.blocks_loaded < found.loading.blocks
    assert "Without a model in memory nothing executes." in text_of(found, "busy")
    assert text_of(found, "trust").startswith("Times are assumed: ")
    model.advance(model.now_ns + found.loading.left_ns - 1)
    assert model.explain(0).state is State.LOADING
    model.advance(model.now_ns + 1)
    loaded = model.explain(0)
    assert loaded.state is not State.LOADING
    assert "A model was loaded in that time, and loading is no execution." in text_of(loaded, "busy")


def test_who_waits_for_requests_could_do_more() -> None:
    model = forward(host(server(arrivals={"kind": "closed", "users": 1, "think": "20s"})), 15)
    found = model.explain(0)
    assert found.state is State.WAITING
    assert found.step is None
    assert "it executes nothing now" in text_of(found, HEADLINE)
    assert "Requests: 0 in work, 0 waiting. With more requests it could do more." in text_of(found, "busy")


ENCODER = {
    "kind": "encoder",
    "model": "bert-base-uncased",
    "batch": 4,
    "context": 128,
    "tokens": {"mean": 60},
    "arrivals": {"kind": "closed", "users": 4},
}


def test_the_step_is_that_of_the_cores_own_group() -> None:
    """Two workers take turns, because the clients of one batch wait for it."""
    model = forward(host({"name": "e", "workload": ENCODER | {"workers": 2}}), 5)
    states = {(found.state, found.step is None) for found in (model.explain(0), model.explain(1))}
    assert states == {(State.EXECUTING, False), (State.WAITING, True)}
    assert [model.explain(core).holder.group for core in (0, 1)] == [(0,), (1,)]  # type: ignore[union-attr]


@pytest.mark.parametrize("fault", ["slow", "hung"])
def test_an_impaired_core_is_not_given_away(fault: str) -> None:
    """What tools can see of it is told, and nothing else: all cores of a team are said to work as one."""
    model = forward(host(server(tp=8, arrivals=CLOSED | {"think": "0s"})), 10)
    core = model._world.node.cores[5]
    if fault == "slow":
        core.slowed_by[1] = 1.6
    else:
        core.hung_by.add(1)
    for process in model._world.runtime.processes_on([core]):
        model._world.runtime.disturbed(model.now_ns, process)
    forward(model, 12)
    explained = [model.explain(number) for number in range(8)]
    for found in explained:
        check_rates(model, found)
        assert found.state is State.EXECUTING
        assert found.holder is not None
        assert found.holder.group == tuple(range(8))
        assert found.step == explained[0].step
        assert found.period is not None
        assert found.period.busy_percent == pytest.approx(explained[0].period.busy_percent)  # type: ignore[union-attr]
        assert not any(word in sentence.text for sentence in found.sentences for word in ("slow", "hang", "hung"))
    for found in explained:
        still = "it completed no execution in that time" in text_of(found, HEADLINE)
        assert still is (fault == "hung")
        assert ("No execution was completed." in text_of(found, "busy")) is still
        assert ("the cause is not in the work" in text_of(found, "faster")) is still
    waiting = [found.period.collectives_percent or 0.0 for found in explained if found.period is not None]
    assert waiting[5] < min(waiting[:5] + waiting[6:])


def test_what_an_execution_took_can_be_compared_with_its_work() -> None:
    """Sound decoding takes what its work says, give or take the prompts between its steps."""
    found = forward(host(server(arrivals=CLOSED | {"think": "0s"})), 30).explain(0)
    assert found.period is not None
    assert found.period.executions
    assert found.step is not None
    each_ns = (found.period.busy_percent or 0.0) / 100 * found.period.duration_ns / found.period.executions
    assert each_ns == pytest.approx(found.step.duration_ns, rel=0.2)
    assert f"{found.period.executions:,} executions were completed, for {milliseconds(round(each_ns))}" in text_of(
        found, "busy"
    )


def test_a_stage_that_is_not_the_slowest_waits_for_it() -> None:
    workload = ENCODER | {"pipeline": 16, "arrivals": {"kind": "closed", "users": 400}}
    model = forward(host({"name": "e", "workload": workload}, instance="inf1.6xlarge"), 3)
    stages = [model.explain(core) for core in range(model.core_count)]
    steps = [found.step for found in stages if found.step is not None]
    assert len(steps) == len(stages)
    assert len({step.duration_ns for step in steps}) == 1
    assert min(step.idle_ns for step in steps) == 0
    assert max(step.idle_ns for step in steps) > 0
    for found, step in zip(stages, steps, strict=True):
        assert ("gains nothing before" in text_of(found, "faster")) is (step.idle_ns > 0)
        assert ("in each step it waits for others" in text_of(found, HEADLINE)) is (step.idle_ns > 0)
        assert text_of(found, "engines").startswith("How long each engine was active is not known")


def test_a_server_that_reloads_holds_no_model_for_a_while() -> None:
    model = host(server(arrivals=CLOSED, reload={"every": "4s", "pause": "30s"}))
    found = forward(model, 25).explain(0)
    assert (found.state, found.step, found.trust) == (State.UNLOADED, None, None)
    assert "its process holds it without a model now" in text_of(found, HEADLINE)


def test_what_a_process_that_ended_left_behind() -> None:
    model = forward(host(server(stop="40s")), 45)
    found = model.explain(1)
    assert found.state is State.FREE
    assert found.last_holder is not None
    assert (found.last_holder.tag, found.last_holder.how) == ("a", "exit status 0")
    assert found.last_holder.ended_ns == STEPPED_EPOCH_NS + 40 * NS
    assert "a (pid 4096, user ubuntu) did until 40s after the host's start: exit status 0." in text_of(found, "held by")
    assert found.counted.executions > 0
    assert f"1 model load, {found.counted.executions:,} executions" in text_of(found, "counted")
    later = forward(model, 3600).explain(1)
    assert later.last_holder is None
    assert "Who did is not remembered" in text_of(later, "held by")
    assert later.counted == found.counted


def test_a_core_that_ran_out_of_memory_shows_the_error_that_it_counted() -> None:
    model = forward(host(server(model="opt-66b", tp=2), instance="inf2.xlarge"), 60)
    found = model.explain(0)
    assert found.counted.errors == {"resource_error": 1}
    assert "Errors: resource_error 1." in text_of(found, "counted")
    assert "exit status 1 (NRT_RESOURCE)" in text_of(found, "held by")


def test_a_logical_core_is_the_mean_and_the_sum_of_its_physical_cores() -> None:
    model = forward(host(server(tp=4), instance="trn2.48xlarge"), 30)
    found = model.explain(2)
    assert found.physical_cores == (4, 5)
    assert "percentages of time are their mean, bytes and FLOP/s their sum" in text_of(found, "core")
    process = process_of(model, "a")
    assert process is not None
    assert found.counted.executions == (process.executions or {})["completed"]
    assert found.counted.models_loaded == 1
    assert text_of(found, "trust").startswith("Times are extrapolated: no published run on NeuronCore-v3 was fitted;")


def test_at_the_first_instant_there_is_no_period() -> None:
    model = host(server())
    found = model.explain(0)
    assert found.period is None
    assert "There are no rates: no time has passed since the host's start." in text_of(found, "busy")
    assert forward(model, 0.5).explain(0).period is not None


def test_on_the_way_of_a_long_advance_nothing_is_compared() -> None:
    model = busy_host()
    moments = iter(range(1000))
    assert not model.advance(model.now_ns + 7200 * NS, lambda: next(moments) > 500)
    found = model.explain(0)
    assert found.period is None
    assert "on its way through a long advance" in text_of(found, "busy")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B/s", "0 B/s"),
        (214.3e9, "B/s", "214 GB/s"),
        (999.4e9, "B/s", "999 GB/s"),
        (999.6e9, "B/s", "1 TB/s"),
        (2.534e12, "FLOP/s", "2.53 TFLOP/s"),
        (5e21, "FLOP", "5,000 EFLOP"),
    ],
)
def test_rates_have_three_digits_in_the_nearest_unit(value: float, unit: str, text: str) -> None:
    assert rate(value, unit) == text


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(0, "0 ms"), (1, "0.000001 ms"), (16_300, "0.0163 ms"), (38_246_000, "38.2 ms"), (12_345_600_000, "12,346 ms")],
)
def test_a_duration_keeps_its_digits(duration_ns: int, text: str) -> None:
    assert milliseconds(duration_ns) == text


def ring(name: str, devices: int, first: int, **changes: Any) -> dict[str, Any]:
    """All-reduces of 1 GiB on Inferentia2s from device `first` on, now and then with a pause."""
    workload: dict[str, Any] = {
        "kind": "collectives",
        "operation": "all-reduce",
        "sizes": {"from": "1GiB", "to": "1GiB"},
    }
    workload |= {"tp": 2 * devices, "iterations": 10, "pause": "1ms"}
    return {"name": name, "first_core": 2 * first, "workload": workload | changes}


def test_a_shared_link_is_named_with_who_shares_it_and_what_it_costs() -> None:
    alone = forward(host(ring("wide", 8, 4)), 10)
    model = forward(host(ring("narrow", 4, 0), ring("wide", 8, 4)), 10)
    shared = {core: model.explain(core).shared_link for core in (0, 7, 8, 23)}
    narrow, wide = shared[0], shared[8]
    assert (shared[7], shared[23]) == (narrow, wide)
    assert narrow is not None
    assert wide is not None
    assert (narrow.others, wide.others) == (("wide",), ("narrow",))
    assert narrow.stretch == narrow.asked > 1
    for found in (narrow, wide):
        assert found.collectives_ns == pytest.approx(found.stretch * found.alone_ns, abs=1)
        assert found.duration_ns >= found.collectives_ns
    executions = [each.counted.executions for each in (alone.explain(8), model.explain(8))]
    assert executions[0] / executions[1] == pytest.approx(wide.stretch, rel=0.05)
    assert text_of(model.explain(0), "links") == (
        f"What it sends over the link from device {narrow.sender} to {narrow.receiver} meets what wide sends there: "
        f"they ask for {narrow.asked:.3g} times what the link carries, so collectives take {narrow.stretch:.3g} times "
        f"as long as by the work in them, {milliseconds(narrow.collectives_ns)} of a step of "
        f"{milliseconds(narrow.duration_ns)} instead of {milliseconds(narrow.alone_ns)}."
    )
    step = model.explain(8).step
    assert step == alone.explain(8).step, "a step is told as it is by its work"


def test_a_shared_link_with_room_for_all_makes_nobody_wait() -> None:
    model = forward(host(ring("narrow", 4, 0, operation="all-to-all"), ring("wide", 8, 4, operation="all-to-all")), 10)
    shared = model.explain(0).shared_link
    assert shared is not None
    assert shared.stretch == 1
    assert shared.asked < 1
    assert text_of(model.explain(0), "links").endswith(
        f"they ask for {percent_text(100 * shared.asked)} of the link, so nobody waits."
    )


@pytest.mark.parametrize("neighbour", [[], [ring("wide", 8, 4) | {"start": "1h"}], [ring("near", 2, 4)]])
def test_who_is_alone_on_its_links_shares_none(neighbour: list[dict[str, Any]]) -> None:
    found = forward(host(ring("narrow", 4, 0), *neighbour), 10).explain(0)
    assert found.shared_link is None
    assert text_of(found, "links") == ""
