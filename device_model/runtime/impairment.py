"""What impaired hardware makes of a step: who takes longer, who waits for whom, and how the execution ends."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from device_model.machine.activity import Pattern
from device_model.machine.core import Core
from device_model.machine.links import Links
from device_model.runtime.execution import StepWork, busy_ns
from device_model.runtime.process import Team


class Share(NamedTuple):
    """Cores of a team that do a step alike, the ways of the traffic that is counted with them, and the step."""

    cores: tuple[Core, ...]
    patterns: tuple[Pattern, ...]
    work: StepWork


def shares(teams: Sequence[Team], works: Sequence[StepWork], links: Links) -> tuple[Share, ...]:
    """A step of a lane on its hardware as it is now; where nothing is impaired, its teams with their works.

    A core that is slow takes longer for its own part, and its team waits for it in collectives: their cores are busy
    for as long as its own. Collectives take longer as their slowest link is slower (assumed of all their time). The
    other teams of the lane have nothing to do meanwhile.
    """
    collectives = [_collectives_ns(team, work, links) for team, work in zip(teams, works, strict=True)]
    longer = [
        (waiting - work.collectives_ns) + max(_own_extra_ns(core, work) for core in team.cores)
        for team, work, waiting in zip(teams, works, collectives, strict=True)
    ]
    longest = max(longer)
    found = []
    for team, work, waiting, extra in zip(teams, works, collectives, longer, strict=True):
        step = work._replace(
            duration_ns=work.duration_ns + longest, collectives_ns=waiting, idle_ns=work.idle_ns + longest - extra
        )
        found += _shares_of(team, work, step, extra - (waiting - work.collectives_ns))
    return tuple(found)


def _own_extra_ns(core: Core, work: StepWork) -> int:
    own = max(0, busy_ns(work) - work.collectives_ns)
    return int(own * (core.slowness - 1.0))


def _collectives_ns(team: Team, work: StepWork, links: Links) -> int:
    crossed = [edge for pattern in team.patterns for edge, _ in pattern.crossings]
    speed = min((links.speed(edge) for edge in crossed), default=1.0)
    # A link that is down makes the execution hang instead; what it would cost is not asked.
    return int(work.collectives_ns / speed) if 0 < speed < 1 and any(work.traffic) else work.collectives_ns


def _shares_of(team: Team, work: StepWork, step: StepWork, slowest_extra_ns: int) -> list[Share]:
    """The team's cores by what ails them, the sound ones last; the traffic is counted with the last."""
    by_state = sorted(team.cores, key=lambda core: (*_state(core), core.number), reverse=True)
    parts = [(state[1], tuple(cores)) for state, cores in groupby(by_state, key=_state)]
    found = []
    for i, (slowness, cores) in enumerate(parts):
        last = i == len(parts) - 1
        waits_ns = slowest_extra_ns - _own_extra_ns(cores[0], work)
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
