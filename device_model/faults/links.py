"""Faults of the links between devices: they are down, or slower than they should be."""

from device_model.faults.effects import HANGS, SERVED, TOO_LONG, WORK, counted, health, kernel_log, on_devices
from device_model.faults.fault import Begin, Fault, Parameters, Target, Undo, factor
from device_model.machine.kernel_log import HANG_ON_COLLECTIVES
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime


def _limited(speed: float | None) -> Begin:
    """A link that keeps `speed` of its own; None: one part in `factor`."""

    def begin(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
        ends = frozenset(device.index for device in target.devices)
        left = 1.0 / parameters["factor"] if speed is None else speed
        slowed_by = runtime.node.links.slowed_by
        slowed_by.setdefault(ends, {})[id] = left
        _disturb(runtime, ends, time_ns)

        def undo(now_ns: int) -> None:
            del slowed_by[ends][id]
            if not slowed_by[ends]:
                del slowed_by[ends]
            _disturb(runtime, ends, now_ns)

        return undo

    return begin


def _disturb(runtime: Runtime, ends: frozenset[int], time_ns: int) -> None:
    for process in list(runtime.processes.values()):
        if _may_use(process, ends):
            runtime.disturbed(time_ns, process)


def _may_use(process: Process, ends: frozenset[int]) -> bool:
    patterns = (pattern for lane in process.teams for team in lane for pattern in team.patterns)
    return any(frozenset(edge) == ends for pattern in patterns for edge, _ in pattern.crossings)


FAULTS = (
    Fault(
        name="link-down",
        target="link",
        lasting=True,
        shows=(
            "The link is down at both ends; on Trainium2 and Trainium3 the devices' health files name it.",
            "Collectives that use it never complete: after 30 s their cores report status 1200, the kernel's log has "
            "HANG_ON_COLLECTIVES for each, and the process ends. Collectives do not go another way in the model.",
        ),
        recovery="Replace the instance; to heal the fault stands for that. Before the time-out that lets the execution "
        "begin anew.",
        changes=(
            *HANGS,
            *kernel_log("processes", HANG_ON_COLLECTIVES),
            *counted("processes", "hw_collectives_error"),
            *on_devices("target", "links/*/up"),
            *health("target", "unhealthy_components"),
        ),
        begin=_limited(0.0),
    ),
    Fault(
        name="link-degraded",
        target="link",
        lasting=True,
        shows=(
            "Collectives that use the link take longer, for all their cores and for every process that shares it; the "
            "throughput falls and latencies grow.",
            "The link stays up and carries fewer bytes a second.",
            TOO_LONG,
        ),
        recovery="Move the work to devices with sound links; heal it, or let it end by itself with --for.",
        changes=(*WORK, *SERVED),
        begin=_limited(None),
        parameters=(factor("how many times as long its bytes take", 4.0),),
    ),
)
