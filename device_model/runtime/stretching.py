"""A step that shares its links: how long it takes, and what is left of it when that changes under way."""

import math
from collections.abc import Sequence

from device_model.kernel.meter import Run
from device_model.machine.activity import activity_in
from device_model.runtime.execution import StepWork, busy_ns

WHOLE = 1 << 60
"""A step is counted in so many parts: what is left of one is a whole number of them, rounded up."""


def stretched(works: Sequence[StepWork], stretch: float, stages: int) -> tuple[StepWork, ...]:
    """A step of a lane, a part for each group, whose time in collectives takes `stretch` times as long.

    The longest of them counts, and who has less waits in collectives too, unless the groups are `stages` of a pipeline:
    those have nothing to do meanwhile. Nobody does more or less work.
    """
    if stretch == 1.0:
        return tuple(works)
    own = [math.ceil(max(1, work.collectives_ns) * (stretch - 1.0)) if any(work.traffic) else 0 for work in works]
    longest = max(own)
    return tuple(
        work._replace(
            duration_ns=work.duration_ns + longest,
            collectives_ns=work.collectives_ns + (mine if stages > 1 else longest),
            idle_ns=work.idle_ns + (longest - mine if stages > 1 else 0),
        )
        for work, mine in zip(works, own, strict=True)
    )


def left_of(run: Run, time_ns: int, left: int) -> int:
    """What is left at `time_ns` of the step under way then; `left` is what was left of the first when the run began."""
    ran_ns = run.elapsed_ns(time_ns) % run.step_ns
    of_this = left if run.steps == 1 else WHOLE
    return -(-of_this * (run.step_ns - ran_ns) // run.step_ns)


def left_ns(work: StepWork, left: int) -> int:
    """How long what is left of a step takes."""
    return max(1, -(-work.duration_ns * left // WHOLE))


def rest_of(run: Run, time_ns: int, work: StepWork, left: int) -> Run:
    """The rest, `left` of it, of the step that is under way in `run` at `time_ns`, if it goes on as a part of `work`.

    What the step still adds makes up, number for number, what it adds in all. Time alone is new: busy, and waiting in
    collectives, is the rest as the whole of `work`.
    """
    ran_ns, rest_ns = run.elapsed_ns(time_ns) % run.step_ns, left_ns(work, left)
    added = [amount * ran_ns // run.step_ns for amount in run.per_step]
    rest = [amount - before for amount, before in zip(run.per_step, added, strict=True)]
    busy = min(rest_ns, busy_ns(work) * left // WHOLE)
    own, before = activity_in(rest), activity_in(added)
    activity = own._replace(
        busy_ns=busy,
        collectives_ns=min(busy, work.collectives_ns * left // WHOLE),
        tensor_ns=min(busy, own.tensor_ns),
        vector_ns=min(busy, own.vector_ns),
        scalar_ns=min(busy, own.scalar_ns),
        gpsimd_ns=min(busy, own.gpsimd_ns),
    )
    # An execution is credited with all the time that its core was busy for it.
    earlier_ns = run.credit_ns - activity_in(run.per_step).busy_ns + before.busy_ns
    credit_ns = earlier_ns + busy if run.credit_ns else 0
    return Run(time_ns, rest_ns, 1, (*activity, *rest[len(activity) :]), credit_ns, run.whole or run.per_step)
