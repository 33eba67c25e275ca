"""How executions end: every code has its ending, errors come before hangs, and shares of executions are kept."""

from statistics import fmean

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.kernel.chance import Chance
from device_model.machine.activity import Pattern
from device_model.machine.core import Core
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork
from device_model.runtime.fate import (
    BAD_INPUT,
    BUSY,
    COLLECTIVES,
    CORE,
    DMA_ABORT,
    ENDINGS,
    HBM,
    NUMERICAL,
    TIMEOUT,
    Fate,
    fate_of,
    until_spoiled,
)
from device_model.runtime.process import Failing, Identity, Process, Team
from neurontools.hardware.nrt import OUTCOMES, STATUSES
from tests.device_model.machine.lockstep import BOOT_NS, node

RING = Pattern("ring", (((0, 1), 1), ((1, 0), 1)))
OTHER = Pattern("other", (((1, 2), 1),))
NAME = "a"


def process_on(host: Node, *lanes: tuple[int, ...]) -> Process:
    """A process with a team of these cores in each lane, whose traffic may go either way."""
    teams = tuple(
        (Team(tuple(host.cores[core] for core in cores), (RING, OTHER), lane),) for lane, cores in enumerate(lanes)
    )
    groups = tuple(
        tuple(host.begin_work(team.cores, team.patterns, BOOT_NS) for team in lane_teams) for lane_teams in teams
    )
    return Process(7, BOOT_NS, Identity(NAME, NAME, "u", "c"), teams, groups)


def step(*traffic: int) -> tuple[StepWork, ...]:
    return (StepWork(1_000_000, 100_000, 1, 1, 1, 0, 1, 1, 1, traffic or (0, 0)),)


def impair(host: Node, process: Process, what: str) -> None:
    """One thing that goes wrong on or under core 1."""
    core = host.cores[1]
    {
        "reset": lambda: host.devices[0].resetting_by.add(1),
        "unusable": lambda: host.devices[0].unusable_by.add(1),
        "failing": lambda: process.failing.append(Failing(HBM, core)),
        "failing anywhere": lambda: process.failing.append(Failing(CORE, None)),
        "lasting": lambda: core.failing_by.update({1: DMA_ABORT}),
        "hung": lambda: core.hung_by.add(1),
        "stuck": lambda: process.stuck_by.add(1),
        "link": lambda: host.links.slowed_by.update({frozenset((0, 1)): {1: 0.0}}),
    }[what]()


IN_ORDER = {
    "reset": Fate(BUSY, None),
    "unusable": Fate(BUSY, None),
    "failing": Fate(HBM, None),
    "failing anywhere": Fate(CORE, None),
    "lasting": Fate(DMA_ABORT, None),
    "hung": Fate(TIMEOUT, None, hangs=True),
    "stuck": Fate(COLLECTIVES, None, hangs=True),
    "link": Fate(COLLECTIVES, None, hangs=True),
}
"""What goes wrong, that which is noticed first before that which comes later."""


def blamed(fate: Fate | None) -> Fate | None:
    return None if fate is None else fate._replace(core=None)


@given(st.lists(st.sampled_from(sorted(IN_ORDER)), unique=True))
def test_the_first_thing_that_is_wrong_decides(wrong: list[str]) -> None:
    host = node()
    process = process_on(host, (0, 1, 2, 3))
    for what in wrong:
        impair(host, process, what)
    # Of two errors that are due, the one that came first is met first.
    due = [what for what in wrong if what.startswith("failing")]
    expected = next((fate for what, fate in IN_ORDER.items() if what in wrong and what not in due[1:]), None)
    assert blamed(fate_of(host, process, 0, step(10, 0))) == expected


@pytest.mark.parametrize("what", sorted(IN_ORDER))
def test_other_lanes_and_sound_hardware_have_nothing_to_fear(what: str) -> None:
    host = node()
    process = process_on(host, (0, 1), (4,))
    assert fate_of(host, process, 0, step(10, 0)) is None
    impair(host, process, what)
    assert fate_of(host, process, 0, step(10, 0)) is not None
    assert (fate_of(host, process, 1, step(10, 0)) is None) == (what not in ("failing anywhere", "link"))


def test_only_a_step_that_crosses_a_link_minds_it() -> None:
    host = node()
    process = process_on(host, (0, 1, 2, 3))
    impair(host, process, "link")
    assert fate_of(host, process, 0, step(0, 10)) is None
    assert fate_of(host, process, 0, step(0, 0)) is None
    assert fate_of(host, process, 0, step(1, 0)) == Fate(COLLECTIVES, None, hangs=True)


def test_the_core_to_blame_is_named() -> None:
    host = node()
    process = process_on(host, (0, 1, 2, 3))
    impair(host, process, "lasting")
    fate = fate_of(host, process, 0, step())
    assert fate is not None
    assert isinstance(fate.core, Core)
    assert fate.core.number == 1


def test_every_code_has_an_ending_and_an_outcome() -> None:
    for code in ENDINGS:
        fate = Fate(code, None)
        assert fate.status is STATUSES[code]
        assert fate.outcome in OUTCOMES[1:]
        assert fate.computed == (code != BUSY)
        assert fate.completed == (code == NUMERICAL)
        assert not Fate(code, None, hangs=True).computed


@given(st.integers(0, 2**60), st.integers(1, 10**9), st.integers(1, 200), st.sampled_from([0.001, 0.05, 0.5, 1.0]))
def test_spoiled_executions_are_the_same_however_they_are_looked_at(
    start_ns: int, step_ns: int, steps: int, share: float
) -> None:
    process, chance = process_on(node(), (0, 1)), Chance(1)
    process.spoiled[BAD_INPUT] = share
    starts = range(start_ns, start_ns + step_ns * steps, step_ns)
    alone = [until_spoiled(chance, process, 0, [at_ns])[1] is not None for at_ns in starts]
    position, together = 0, []
    while position < steps:
        count, fate = until_spoiled(chance, process, 0, starts[position:])
        assert count >= 1
        assert fate is None or (count == 1 and fate == Fate(BAD_INPUT, None))
        together += [fate is not None] * count
        position += count
    assert together == alone


def test_the_share_of_spoiled_executions_is_what_was_asked_for() -> None:
    process = process_on(node(), (0, 1))
    process.spoiled[BAD_INPUT] = 0.1
    for seed in range(10):
        chance = Chance(seed)
        met = [until_spoiled(chance, process, 0, [at_ns])[1] is not None for at_ns in range(4000)]
        assert abs(fmean(met) - 0.1) < 3 * (0.1 * 0.9 / 4000) ** 0.5


def test_lanes_meet_spoiled_executions_independently() -> None:
    process, chance = process_on(node(), (0, 1), (2, 3)), Chance(1)
    process.spoiled[NUMERICAL] = 0.5
    met = [[until_spoiled(chance, process, lane, [at])[1] is not None for at in range(100)] for lane in (0, 1)]
    assert met[0] != met[1]
