"""A step on impaired hardware: who takes longer, who waits, and that no work is made or lost."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.machine.activity import Pattern
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork, busy_ns
from device_model.runtime.fate import BUSY, COLLECTIVES, TIMEOUT, Fate
from device_model.runtime.impairment import REFUSED_NS, Share, shares, unproductive
from device_model.runtime.process import TIMEOUT_NS, Team
from tests.device_model.machine.lockstep import node

RING = Pattern("ring", (((0, 1), 1), ((1, 0), 1)))
UNUSED = Pattern("unused", (((1, 2), 1),))

works = st.builds(
    lambda own, collectives, tensor: StepWork(
        own + collectives, collectives, min(tensor, own * 9 // 10), own // 3, own // 5, 0, 100, 10, 10, (7, 0)
    ),
    st.integers(10**6, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
factors = st.dictionaries(st.integers(0, 3), st.sampled_from([1.5, 2.0, 10.0]))


def teams_on(host: Node, *numbers: tuple[int, ...]) -> tuple[Team, ...]:
    return tuple(Team(tuple(host.cores[core] for core in cores), (RING, UNUSED)) for cores in numbers)


@given(works, st.integers(1, 3))
def test_sound_hardware_does_what_was_asked(work: StepWork, stages: int) -> None:
    host = node()
    teams = teams_on(host, (0, 1), (2, 3))
    assert shares(teams, (work, work), host.links, stages) == tuple(
        Share(team.cores, team.patterns, work) for team in teams
    )


@given(works, factors)
def test_peers_are_busy_for_as_long_as_the_slowest_and_do_no_more(work: StepWork, slow: dict[int, float]) -> None:
    host = node()
    for core, factor in slow.items():
        host.cores[core].slowed_by[9] = factor
    (team,) = teams_on(host, (0, 1, 2, 3))
    found = shares((team,), (work,), host.links, 1)
    assert sorted(core.number for share in found for core in share.cores) == [0, 1, 2, 3]
    own_ns = max(0, busy_ns(work) - work.collectives_ns)
    longest = max(slow.values(), default=1.0)
    for share in found:
        slowness = share.cores[0].slowness
        assert {core.slowness for core in share.cores} == {slowness}
        assert share.work.duration_ns == work.duration_ns + int(own_ns * (longest - 1))
        assert share.work.tensor_ns == int(work.tensor_ns * slowness)
        waits_ns = share.work.collectives_ns - work.collectives_ns
        assert waits_ns == int(own_ns * (longest - 1)) - int(own_ns * (slowness - 1))
        assert share.work.idle_ns == work.idle_ns
        assert (share.work.flops, share.work.hbm_read_bytes) == (work.flops, work.hbm_read_bytes)
    sent = [share.work.traffic for share in found if share.patterns]
    assert sent == [work.traffic], "the team's traffic is counted once"


@given(works, st.sampled_from([2.0, 5.0]), st.booleans())
def test_another_team_waits_in_collectives_and_a_stage_has_nothing_to_do(
    work: StepWork, factor: float, pipeline: bool
) -> None:
    host = node()
    host.cores[0].slowed_by[1] = factor
    slow, _, other = shares(teams_on(host, (0, 1), (2, 3)), (work, work), host.links, 2 if pipeline else 1)
    longer_ns = slow.work.duration_ns - work.duration_ns
    assert other.work.duration_ns == slow.work.duration_ns
    assert other.work.idle_ns == (longer_ns if pipeline else 0)
    assert other.work.collectives_ns == work.collectives_ns + (0 if pipeline else longer_ns)


@given(works, st.sampled_from([0.5, 0.1]))
def test_a_slow_link_lengthens_the_collectives_that_use_it(work: StepWork, speed: float) -> None:
    host = node()
    (team,) = teams_on(host, (0, 1, 2, 3))
    host.links.slowed_by[frozenset((1, 2))] = {1: speed}
    assert shares((team,), (work,), host.links, 1)[0].work == work
    host.links.slowed_by[frozenset((0, 1))] = {2: speed}
    (share,) = shares((team,), (work,), host.links, 1)
    assert share.work.collectives_ns == int(work.collectives_ns / speed)
    assert share.work.duration_ns - work.duration_ns == share.work.collectives_ns - work.collectives_ns
    assert share.work._replace(duration_ns=0, collectives_ns=0) == work._replace(duration_ns=0, collectives_ns=0)


@pytest.mark.parametrize(
    ("fate", "duration_ns", "own_ns", "peers_ns", "busy"),
    [
        (Fate(TIMEOUT, None, hangs=True), TIMEOUT_NS, 0, TIMEOUT_NS, True),
        (Fate(COLLECTIVES, None, hangs=True), TIMEOUT_NS, 0, TIMEOUT_NS, True),
        (Fate(BUSY, None), REFUSED_NS, 0, 0, False),
    ],
)
def test_where_nothing_gets_done_peers_wait_or_nobody_works(
    fate: Fate, duration_ns: int, own_ns: int, peers_ns: int, busy: bool
) -> None:
    host = node()
    for core in (0, 1):
        host.cores[core].hung_by.add(1)
    work = StepWork(10**6, 0, 1, 1, 1, 1, 1, 1, 1, (7, 0))
    found = [
        unproductive(share, fate, TIMEOUT_NS) for share in shares(teams_on(host, (0, 1, 2, 3)), (work,), host.links, 1)
    ]
    assert [tuple(core.number for core in share.cores) for share in found] == [(0, 1), (2, 3)]
    assert [share.work.collectives_ns for share in found] == [own_ns, peers_ns]
    for share in found:
        assert share.work.duration_ns == duration_ns
        assert (busy_ns(share.work) > 0) == busy
        assert not any((share.work.flops, share.work.tensor_ns, share.work.hbm_read_bytes, *share.work.traffic))
        assert len(share.work.traffic) == len(share.patterns)
