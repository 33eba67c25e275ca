"""How executions end that do not simply complete: by which status code, who reports it, and what the runtime logs."""

from typing import NamedTuple

from device_model.kernel.chance import Chance
from device_model.machine.core import Core
from device_model.machine.kernel_log import HANG_ON_COLLECTIVES
from device_model.machine.node import Node
from device_model.runtime.process import Process
from neurontools.hardware.nrt import STATUSES, Status

TIMEOUT, BAD_INPUT, NUMERICAL, BUSY, OUT_OF_BOUNDS = 5, 1002, 1003, 1005, 1006
COLLECTIVES, HBM, CORE, DMA_ABORT, QUEUE_OVERFLOW, HBM_REPAIRABLE = 1200, 1201, 1202, 1203, 1204, 1205


class Ending(NamedTuple):
    """What a status code does beyond being counted.

    `outcome` is neuron-monitor's word where `neurontools.hardware.nrt` knows none (assumed), `fatal` tells that the
    process exits, `lines` are (module, function, message) of the runtime's log; {device}, {core} and {process} stand
    in them. The words of HBM, DMA and collectives follow the runtime's; the others are assumed.
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
            ("TDRV", _EXECUTE, "[ND {device}][NC {core}] execution timeout (30000 ms) on model execution"),
            ("NRT", "nrt_infodump", 'execution timed out: status=5 message="Timeout"'),
        ),
    ),
    BAD_INPUT: Ending(False, (("NRT", "nrt_execute", "[ND {device}][NC {core}] wrong input: status=1002"),)),
    NUMERICAL: Ending(False),
    BUSY: Ending(False, (("NRT", "nrt_execute", "[ND {device}][NC {core}] NeuronCore is busy: status=1005"),)),
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
        (("TDRV", _EXECUTE, f"{_FATAL} Uncorrectable SRAM memory error is detected. ND {{device}}, NC {{core}}"),),
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

    `core` is None where no single core is to blame: the program is, or a link on the way of a collective.
    """

    code: int
    core: Core | None
    hangs: bool = False

    @property
    def status(self) -> Status:
        """The runtime's status code."""
        return STATUSES[self.code]

    @property
    def outcome(self) -> str:
        """How neuron-monitor counts the execution."""
        return self.status.outcome or ENDINGS[self.code].outcome


def fate_of(node: Node, chance: Chance, process: Process, lane: int) -> Fate | None:
    """What awaits the next execution of a lane; None when it will complete."""
    teams = process.teams[lane]
    cores = [core for team in teams for core in team.cores]
    if (core := next((core for core in cores if node.devices[core.device].resetting_by), None)) is not None:
        return Fate(BUSY, core)
    if (core := next((core for core in cores if core.errors), None)) is not None:
        return Fate(core.errors[0], core)
    if (core := next((core for core in cores if core.hung_by), None)) is not None:
        return Fate(TIMEOUT, core, hangs=True)
    edges = (edge for team in teams for pattern in team.patterns for edge, _ in pattern.crossings)
    if any(node.links.speed(edge) == 0 for edge in edges):
        return Fate(COLLECTIVES, None, hangs=True)
    for code, share in sorted(process.spoiled.items()):
        if chance.uniform(process.identity.name, f"execution ends with {code}", process.careful_executions) < share:
            return Fate(code, None)
    return None
