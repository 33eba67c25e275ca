"""Work for tests of the hardware: runs of a lockstep group with chosen activity."""

from device_model.kernel.chance import Chance
from device_model.kernel.meter import Run
from device_model.machine.activity import Activity, Lockstep
from device_model.machine.node import Node
from neurontools.hardware.instances import chip_of, lookup

BOOT_NS = 1_767_571_200_000_000_000


def node(instance: str = "inf2.48xlarge", lnc: int | None = None, seed: int = 1) -> Node:
    """A node that was switched on at BOOT_NS."""
    found = lookup(instance)
    return Node(found, Chance(seed), BOOT_NS, lnc or chip_of(found).default_lnc)


def step(busy_ns: int) -> Activity:
    """A step that is as busy as given, one FLOP and two bytes a nanosecond."""
    return Activity(
        busy_ns=busy_ns,
        collectives_ns=busy_ns // 4,
        tensor_ns=busy_ns // 2,
        vector_ns=busy_ns // 3,
        flops=busy_ns,
        hbm_read_bytes=2 * busy_ns,
    )


def work(
    group: Lockstep, start_ns: int, step_ns: int, steps: int, activity: Activity | None = None, traffic: int = 0
) -> int:
    """Runs steps to their end and returns when that is; each sends `traffic` bytes the way of every pattern."""
    counted = (*(activity or step(step_ns)), *[traffic] * len(group.patterns))
    run = Run(start_ns, step_ns, steps, counted, credit_ns=step_ns)
    group.meter.start(run)
    group.meter.finish(run.end_ns)
    return run.end_ns
