"""Executions that share links: no link carries more than it can, no work is lost, and who is alone notices nothing."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.activity import Edge, Pattern
from device_model.runtime.execution import LAUNCH_NS, StepWork
from neurontools.schema.events import PROCESS_END, RUNTIME_LOG
from tests.device_model.runtime.senders import CAPACITY, MS, Crowd, Phase, Sender, full, moves, senders, step

ROUNDING = 10
"""Bytes by which what is counted on a link may be off at either end of a period: each group's are rounded down."""

LINK = Pattern("link", (((0, 1), 1),))
OTHER = Pattern("other", (((7, 8), 1),))
NEVER_NS = 10**12


def check_carried(crowd: Crowd, before: dict[Edge, int], elapsed_ns: int) -> None:
    for edge, sent in crowd.sent().items():
        assert 0 <= sent - before[edge] <= CAPACITY * elapsed_ns / 1e9 + ROUNDING, edge


@given(senders, moves, st.lists(st.integers(0, 4), max_size=3))
def test_no_link_carries_more_than_it_can(crowd_of: tuple[Sender, ...], times: list[int], ends: list[int]) -> None:
    crowd = Crowd(crowd_of)
    for duration_ns, victim in zip(times, [*ends, *[None] * len(times)], strict=False):
        before = crowd.sent()
        crowd.advance(duration_ns)
        check_carried(crowd, before, duration_ns)
        if victim is not None:
            before = crowd.sent()
            crowd.end(victim % len(crowd_of))
            assert crowd.sent() == before


@given(senders, moves, st.lists(st.integers(0, 4), max_size=3))
def test_runs_of_many_steps_are_the_same_as_single_steps(
    crowd_of: tuple[Sender, ...], times: list[int], ends: list[int]
) -> None:
    many, single = Crowd(crowd_of), Crowd(crowd_of, longest_run=1)
    for duration_ns, victim in zip(times, [*ends, *[None] * len(times)], strict=False):
        for crowd in (many, single):
            crowd.advance(duration_ns)
            if victim is not None:
                crowd.end(victim % len(crowd_of))
        assert many.reading() == single.reading()


@given(senders, moves)
def test_looking_in_between_changes_nothing(crowd_of: tuple[Sender, ...], times: list[int]) -> None:
    watched, alone = Crowd(crowd_of), Crowd(crowd_of)
    for duration_ns in times:
        watched.advance(duration_ns)
        watched.reading()
    alone.advance(sum(times))
    assert watched.reading() == alone.reading()


@given(senders, moves)
def test_sharing_takes_time_and_no_work(crowd_of: tuple[Sender, ...], times: list[int]) -> None:
    """A core has counted the work of the steps that have ended, and at most all of the one under way beside it."""
    crowd, core = Crowd(crowd_of), 0
    crowd.advance(sum(times))
    for number, sender in enumerate(crowd_of):
        execution = crowd.under_way(number)
        for position in range(len(sender.teams)):
            least: Counter[str] = Counter()
            for phase, steps in enumerate(crowd.executions(number)):
                least.update(_work_of(sender.phases[phase].works[position], steps))
            current = {} if execution is None else _work_of(execution.asked.works[position], 1)
            counted = crowd.node.cores[core].read(crowd.now_ns)._asdict()
            for name, amount in least.items():
                assert amount - ROUNDING <= counted[name] <= amount + current.get(name, 0) + ROUNDING, name
            core += 1


def _work_of(work: StepWork, steps: int) -> dict[str, int]:
    names = ("flops", "hbm_read_bytes", "hbm_written_bytes", "vector_ns", "scalar_ns")
    return {name: steps * getattr(work, name) for name in names}


@given(senders, moves)
def test_time_is_time(crowd_of: tuple[Sender, ...], times: list[int]) -> None:
    crowd = Crowd(crowd_of)
    for duration_ns in times:
        before = [core.read(crowd.now_ns) for core in crowd.node.cores[:10]]
        crowd.advance(duration_ns)
        for early, core in zip(before, crowd.node.cores, strict=False):
            late, credit = core.read(crowd.now_ns), core.credit(crowd.now_ns)
            busy_ns = late.busy_ns - early.busy_ns
            assert 0 <= busy_ns <= duration_ns
            assert credit.time_ns <= late.busy_ns
            parts = ("collectives_ns", "tensor_ns", "vector_ns", "scalar_ns", "gpsimd_ns")
            assert all(0 <= getattr(late, part) - getattr(early, part) <= busy_ns + ROUNDING for part in parts)


def sending(share: float = 1.0, own_ns: int = 0, *patterns: Pattern, steps: int = 1000, start_ns: int = 0) -> Sender:
    """Sends over the link from 0 to 1 for 10 ms of each step."""
    ways = patterns or (LINK,)
    sent = [full(way, 10 * MS, share) if i == 0 else 0 for i, way in enumerate(ways)]
    return Sender(start_ns, (ways,), (Phase((step(own_ns, 10 * MS, *sent),), steps, NEVER_NS),))


def of_sender(crowd: Crowd, number: int) -> list[object]:
    return [crowd.node.cores[number].read(crowd.now_ns), crowd.executions(number)]


@pytest.mark.parametrize(
    "neighbour",
    [
        sending(0.0),
        sending(1.0, 0, OTHER, LINK),
        Sender(0, ((LINK,),), (Phase((step(0, MS, 0),), 1, NEVER_NS),)),
        sending(start_ns=NEVER_NS),
    ],
)
def test_who_shares_a_link_with_somebody_who_does_not_use_it_is_not_slowed(neighbour: Sender) -> None:
    alone, together = Crowd((sending(),)), Crowd((sending(), neighbour))
    for crowd in (alone, together):
        crowd.advance(333 * MS)
    assert of_sender(alone, 0) == of_sender(together, 0)


def test_a_step_under_way_goes_on_at_the_speed_that_it_has_now() -> None:
    """The other one begins 5 ms into a step of 10, which so takes 5 ms and twice the other 5, and stays for three."""
    crowd = Crowd((sending(), sending(steps=3, start_ns=25 * MS)))
    crowd.advance(24 * MS)
    execution = crowd.under_way(0)
    assert execution is not None
    assert (execution.latency_ns, execution.run.steps, execution.contention.stretch) == (10 * MS, 1000, 1.0)
    crowd.advance(2 * MS)
    assert (execution.latency_ns, execution.run.steps, execution.contention.stretch) == (15 * MS, 1, 2.0)
    assert execution.steps_done(crowd.now_ns) == 2
    assert execution.run.end_ns == crowd.start_ns + 35 * MS
    crowd.advance(10 * MS)
    latencies = [found.latency_ns for found in (crowd.under_way(0), crowd.under_way(1)) if found is not None]
    assert latencies == [20 * MS, 20 * MS]
    crowd.advance(60 * MS)
    (found,) = [crowd.under_way(0)]
    assert found is not None
    assert found.contention.stretch == 1.0
    # Two of 10 ms, one of 15, two of 20, and one that was half done when it was alone again, after 85 ms.
    assert crowd.executions(0) == [2 + 1 + 2 + 1]
    assert crowd.executions(1) == [3]
    assert crowd.sent()[0, 1] == pytest.approx(CAPACITY * 0.096, abs=ROUNDING), "the link was full all the time"


def test_an_execution_that_was_slowed_is_one_execution() -> None:
    crowd = Crowd((sending(own_ns=4 * MS), sending(steps=1, start_ns=7 * MS)))
    crowd.advance(60 * MS)
    core, (process, _) = crowd.node.cores[0], crowd.processes
    assert process is not None
    credit, done = core.credit(crowd.now_ns), crowd.executions(0)[0]
    assert credit.executions == process.executions(crowd.now_ns) == done == 3
    work = step(4 * MS, 10 * MS, 0)
    assert core.last_step(crowd.now_ns).flops == work.flops
    execution = crowd.under_way(0)
    assert execution is not None
    ended_ns = execution.run.start_ns + execution.run.steps_done(crowd.now_ns) * execution.run.step_ns
    assert 3 * 14 * MS < ended_ns - crowd.start_ns < 3 * 24 * MS
    assert credit.time_ns == pytest.approx(ended_ns - crowd.start_ns - 3 * LAUNCH_NS, abs=ROUNDING)


@pytest.mark.parametrize(("stays_ns", "in_time"), [(10 * MS, True), (40 * MS, False)])
def test_an_execution_that_others_make_late_times_out_unless_they_leave(stays_ns: int, in_time: bool) -> None:
    """A step of 10 ms may take 16. From its second millisecond on it takes twice as long, unless the other one ends."""
    crowd = Crowd((sending(), sending(start_ns=2 * MS)), timeout_ns=16 * MS)
    crowd.advance(stays_ns)
    late = [event for event in crowd.events.since(0).events if event.kind == RUNTIME_LOG]
    crowd.end(1)
    crowd.advance(30 * MS)
    process = crowd.processes[0]
    assert process is not None
    assert process.alive == in_time
    assert process.outcomes["timed_out"] == (0 if in_time else 1)
    assert (late == []) == in_time
    if in_time:
        # 2 ms alone, 8 at half speed, 4 alone again, and then one in 10.
        assert crowd.executions(0) == [1 + (40 - 14) // 10]
        return
    assert "[ND 0][NC 0] execution timeout (16 ms) on model execution" in late[0].text
    ends = [event for event in crowd.events.since(0).events if event.kind == PROCESS_END]
    assert ends[0].time_ns == crowd.start_ns + 16 * MS
    assert ends[0].text.endswith("exit status 1 (NRT_TIMEOUT)")
    core = crowd.node.cores[0]
    assert core.tallies["timeout"].total == 1
    assert core.credit(crowd.now_ns).executions == 0
    assert core.failed_executions == 0
    # Nine milliseconds' worth of its bytes were sent before.
    assert core.read(crowd.now_ns).flops == pytest.approx(0.9 * step(0, 10 * MS, 0).flops, abs=ROUNDING)
