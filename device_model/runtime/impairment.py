"""What impaired hardware makes of a step: who takes longer, who waits for whom, and who does nothing at all."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from device_model.kernel.clock import NS
from device_model.machine.activity import Pattern
from device_model.machine.core import Core
from device_model.machine.links import Links
from device_model.runtime.execution import StepWork, busy_ns
from device_model.runtime.fate import Fate, edges
from device_model.runtime.process import Team

REFUSED_NS = NS
"""How long an execution waits for a core that takes no work before it is refused (assumed)."""


class Share(NamedTuple):
    """Cores of a team that do a step alike, the ways of the traffic that is counted with them, and the step."""

    cores: tuple[Core, ...]
    patterns: tuple[Pattern, ...]
    work: StepWork


def shares(teams: Sequence[Team], works: Sequence[StepWork], links: Links, stages: int) -> tuple[Share, ...]:
    """A step of a lane on its hardware as it is now; where nothing is impaired, its teams with their works.

    A core that is slow takes longer for its own part, and its team waits for it in collectives: their cores are busy
    for as long as its own. Collectives take longer as their slowest link is slower (assumed of all their time). The
    other teams of the lane wait for the slowest in collectives too, unless they are `stages` of a pipeline: those have
    nothing to do until they get something.
    """
    waiting = [_collectives_ns(team, work, links) for team, work in zip(teams, works, strict=True)]
    extra = [
        collectives - work.collectives_ns + _slowest_ns(team, work)
        for team, work, collectives in zip(teams, works, waiting, strict=True)
    ]
    longest = max(extra)
    found = []
    for team, work, collectives, own in zip(teams, works, waiting, extra, strict=True):
        idle, together = (longest - own, 0) if stages > 1 else (0, longest - own)
        step = work._replace(
            duration_ns=work.duration_ns + longest,
            collectives_ns=collectives + together,
            idle_ns=work.idle_ns + idle,
        )
        found += _shares_of(team, work, step)
    return tuple(found)


def unproductive(share: Share, fate: Fate, timeout_ns: int) -> Share:
    """The step of an execution in which nothing gets done.

    One that hangs keeps its cores until the time-out, and who is not to blame waits in collectives. One that is refused
    leaves them alone.
    """
    nothing = StepWork(REFUSED_NS, 0, 0, 0, 0, 0, 0, 0, 0, (0,) * len(share.patterns), REFUSED_NS)
    if fate.hangs:
        waiting_ns = 0 if share.cores[0].hung_by else timeout_ns
        nothing = nothing._replace(duration_ns=timeout_ns, collectives_ns=waiting_ns, idle_ns=0)
    return share._replace(work=nothing)


def _own_extra_ns(core: Core, work: StepWork) -> int:
    own = max(0, busy_ns(work) - work.collectives_ns)
    return int(own * (core.slowness - 1.0))


def _slowest_ns(team: Team, work: StepWork) -> int:
    return max(_own_extra_ns(core, work) for core in team.cores)


def _collectives_ns(team: Team, work: StepWork, links: Links) -> int:
    speed = min(map(links.speed, edges(team, work)), default=1.0)
    # A link that is down makes the execution hang instead; what it would cost is not asked.
    return int(work.collectives_ns / speed) if 0 < speed < 1 else work.collectives_ns


def _shares_of(team: Team, work: StepWork, step: StepWork) -> list[Share]:
    """The team's cores by what ails them, the sound ones last; the traffic is counted with the last."""
    by_state = sorted(team.cores, key=lambda core: (*_state(core), core.number), reverse=True)
    parts = [(state[1], tuple(cores)) for state, cores in groupby(by_state, key=_state)]
    slowest_ns = _slowest_ns(team, work)
    found = []
    for i, (slowness, cores) in enumerate(parts):
        last = i == len(parts) - 1
        waits_ns = slowest_ns - _own_extra_ns(cores[0], work)
        own = _stretched(step, slowness)._replace(collectives_ns=step.collectives_ns + waits_ns)
        ordered = tuple(sorted(cores, key=lambda core: core.number))
        found.append(Share(ordered, team.patterns, own) if last else Share(ordered, (), own._replace(traffic=())))
    return found


def _stretched(work: StepWork, slowness: float) -> StepWork:
    return work._replace(
        tensor_ns=int(work.tensor_ns * slowness),
        vector_ns=int(work.vector_ns * slowness),
        scalar_ns=int(work.scalar_ns * slowness),
        gpsimd_ns=int(work.gpsimd_ns * slowness),
    )


def _state(core: Core) -> tuple[bool, float]:
    return bool(core.hung_by), core.slowness
