"""How executions end that do not simply complete: by which status code, who reports it, and what the runtime logs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.machine.activity import Edge
from device_model.machine.core import Core
from device_model.machine.kernel_log import HANG_ON_COLLECTIVES
from device_model.machine.node import Node
from device_model.runtime.execution import StepWork
from device_model.runtime.process import Process, Team
from neurontools.hardware.nrt import STATUSES, Status

TIMEOUT, BAD_INPUT, NUMERICAL, BUSY, OUT_OF_BOUNDS = 5, 1002, 1003, 1005, 1006
COLLECTIVES, HBM, CORE, DMA_ABORT, QUEUE_OVERFLOW, HBM_REPAIRABLE = 1200, 1201, 1202, 1203, 1204, 1205


class Ending(NamedTuple):
    """What a status code does beyond being counted.

    `outcome` is neuron-monitor's word where `neurontools.hardware.nrt` knows none (assumed), `fatal` tells that the
    process exits, `lines` are (module, function, message) of the runtime's log; {device}, {core} and {timeout_ms}
    stand in them. The words of HBM, DMA and collectives follow the runtime's; the others are assumed, and so is which
    codes are fatal.
    """

    fatal: bool
    lines: tuple[tuple[str, str, str], ...] = ()
    outcome: str = "completed_with_err"


_EXECUTE = "exec_consume_infer_status_notifications"
_FATAL = "(FATAL-RT-UNDEFINED-STATE)"
ENDINGS: dict[int, Ending] = {
    TIMEOUT: Ending(
        True,
        (
            ("TDRV", _EXECUTE, "[ND {device}][NC {core}] execution timeout ({timeout_ms} ms) on model execution"),
            ("NRT", "nrt_infodump", 'execution timed out: status=5 message="Timeout"'),
        ),
    ),
    BAD_INPUT: Ending(False, (("NRT", "nrt_execute", "[ND {device}][NC {core}] wrong input: status=1002"),)),
    NUMERICAL: Ending(False),
    BUSY: Ending(
        False, (("NRT", "nrt_execute", "[ND {device}][NC {core}] NeuronCore is busy: status=1005"),), "failed_to_queue"
    ),
    OUT_OF_BOUNDS: Ending(
        False, (("TDRV", _EXECUTE, "[ND {device}][NC {core}] out of bounds access detected: status=1006"),)
    ),
    COLLECTIVES: Ending(
        True,
        (
            (
                "TDRV",
                _EXECUTE,
                "[ND {device}][NC {core}] missing collectives status on execution, "
                "suspected hang in collectives operation 0 out of 100",
            ),
        ),
        "timed_out",
    ),
    HBM: Ending(
        True,
        (("TDRV", _EXECUTE, f"{_FATAL} Uncorrectable HBM memory error is detected. ND {{device}}, NC {{core}}"),),
    ),
    CORE: Ending(
        True,
        (
            (
                "TDRV",
                _EXECUTE,
                f"{_FATAL} Uncorrectable error of a NeuronCore or its SRAM is detected. ND {{device}}, NC {{core}}",
            ),
        ),
    ),
    DMA_ABORT: Ending(True, (("TDRV", _EXECUTE, "[MLA {device}][NC {core}] DMA TX engine 0 is in an abort state"),)),
    QUEUE_OVERFLOW: Ending(
        True, (("TDRV", _EXECUTE, "[ND {device}][NC {core}] notification queue overflow: status=1204"),)
    ),
    HBM_REPAIRABLE: Ending(
        True,
        (
            (
                "TDRV",
                _EXECUTE,
                f"{_FATAL} Repairable uncorrectable HBM memory error is detected. ND {{device}}, NC {{core}}: "
                "reload the neuron driver or reboot the instance",
            ),
        ),
    ),
}

KERNEL_LOGGED = {COLLECTIVES: HANG_ON_COLLECTIVES}
"""Codes that the driver notes in the kernel's log when an execution ends by them; hardware errors it notes at once."""


class Fate(NamedTuple):
    """How the next execution of a lane ends: with status `code` on `core`, or, with `hangs`, not before its time-out.

    `core` is None where no single core is to blame: the program is, or a link on the way of a collective. With `late`
    it would complete, but not before its time-out.
    """

    code: int
    core: Core | None
    hangs: bool = False
    late: bool = False

    @property
    def status(self) -> Status:
        """The runtime's status code."""
        return STATUSES[self.code]

    @property
    def outcome(self) -> str:
        """How neuron-monitor counts the execution."""
        return self.status.outcome or ENDINGS[self.code].outcome

    @property
    def times_out(self) -> bool:
        """Whether the runtime gives up waiting for it."""
        return self.hangs or self.late

    @property
    def computed(self) -> bool:
        """Whether the cores do their work all the same."""
        return not self.hangs and self.code != BUSY

    @property
    def completed(self) -> bool:
        """Whether the program gets a result all the same."""
        return self.code == NUMERICAL


LATE = Fate(TIMEOUT, None, late=True)
"""Of an execution that takes longer than its time-out: all its cores report that (assumed), and are busy until then."""


def fate_of(node: Node, process: Process, lane: int, works: Sequence[StepWork]) -> Fate | None:
    """What the hardware, or what the program runs into, makes of the lane's next execution; None: nothing."""
    teams = process.teams[lane]
    cores = [core for team in teams for core in team.cores]
    if (core := next((core for core in cores if not node.devices[core.device].ready), None)) is not None:
        return Fate(BUSY, core)
    if (failing := next((each for each in process.failing if each.core in (None, *cores)), None)) is not None:
        return Fate(failing.code, failing.core)
    if (core := next((core for core in cores if core.failing_by), None)) is not None:
        return Fate(next(iter(core.failing_by.values())), core)
    if (core := next((core for core in cores if core.hung_by), None)) is not None:
        return Fate(TIMEOUT, core, hangs=True)
    stuck = process.stuck_by and any(len(team.cores) > node.logical_neuroncore_config for team in teams)
    if stuck or any(node.links.speed(edge) == 0 for pair in zip(teams, works, strict=True) for edge in edges(*pair)):
        return Fate(COLLECTIVES, None, hangs=True)
    return None


def edges(team: Team, work: StepWork) -> Iterator[Edge]:
    """The links that a step's traffic crosses."""
    for pattern, sent in zip(team.patterns, work.traffic, strict=True):
        if sent:
            yield from (edge for edge, _ in pattern.crossings)


def until_spoiled(chance: Chance, process: Process, lane: int, starts_ns: Sequence[int]) -> tuple[int, Fate | None]:
    """How many of the executions that would begin at `starts_ns` come next, and how the last of them ends.

    They are those before the first that the program itself spoils, or, where that is the first, it alone.
    """
    name = process.identity.name
    for position, start_ns in enumerate(starts_ns):
        for code, share in sorted(process.spoiled.items()):
            if chance.uniform(name, f"execution in lane {lane} ends with {code}", start_ns) < share:
                return (position, None) if position else (1, Fate(code, None))
    return len(starts_ns), None
