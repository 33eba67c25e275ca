"""Faults of single cores: they fail, never complete, or are slower than their peers."""

from device_model.faults.effects import HANGS, SERVED, TOO_LONG, WORK, counted, ended_by, kernel_log
from device_model.faults.fault import Fault, Parameters, Target, Undo, disturb, factor
from device_model.machine.kernel_log import ACTION_REPLACE, CORE_UNCORRECTABLE, DMA_ERROR, HANG_ON_COLLECTIVES
from device_model.runtime.fate import CORE, DMA_ABORT
from device_model.runtime.runtime import Runtime


def _uncorrected(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> None:
    core = target.cores[0]
    runtime.hardware_error(time_ns, core, CORE_UNCORRECTABLE)
    for process in runtime.processes_on((core,)):
        runtime.fail_next(time_ns, process, CORE, core)


def _dma_abort(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    core = target.cores[0]
    runtime.hardware_error(time_ns, core, DMA_ERROR, ACTION_REPLACE)
    core.failing_by[id] = DMA_ABORT
    disturb(runtime, target, time_ns)

    def undo(now_ns: int) -> None:
        del core.failing_by[id]
        disturb(runtime, target, now_ns)

    return undo


def _hang(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    for core in target.cores:
        core.hung_by.add(id)
    disturb(runtime, target, time_ns)

    def undo(now_ns: int) -> None:
        for core in target.cores:
            core.hung_by.remove(id)
        disturb(runtime, target, now_ns)

    return undo


def slow(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    """The engines of the target's cores take `factor` times as long."""
    for core in target.cores:
        core.slowed_by[id] = parameters["factor"]
    disturb(runtime, target, time_ns)

    def undo(now_ns: int) -> None:
        for core in target.cores:
            del core.slowed_by[id]
        disturb(runtime, target, now_ns)

    return undo


FAULTS = (
    Fault(
        name="core-uncorrected",
        target="core",
        lasting=False,
        shows=(
            "The kernel's log has NC_UNCORRECTABLE_ERROR.",
            "The next execution on the core ends with status 1202, and so does its process.",
        ),
        recovery="Terminate the instance. What is started there again works in the model.",
        changes=(*ended_by("hw_nc_ue_error"), *kernel_log("first core", CORE_UNCORRECTABLE)),
        begin=_uncorrected,
    ),
    Fault(
        name="dma-abort",
        target="core",
        lasting=True,
        shows=(
            "The kernel's log has DMA_ERROR, once.",
            "Every execution on the core ends with status 1203, and so does its process.",
        ),
        recovery="Replace the instance; to heal the fault stands for that.",
        changes=(*ended_by("hw_dma_abort_error"), *kernel_log("first core", DMA_ERROR)),
        begin=_dma_abort,
    ),
    Fault(
        name="hang",
        target="core",
        lasting=True,
        shows=(
            "The core and its peers are in execution all the time and complete nothing; the peers wait in collectives.",
            "After 30 s the core reports status 5 and its peers 1200, the kernel's log has HANG_ON_COLLECTIVES for "
            "each peer, and the process ends.",
        ),
        recovery="Reset the device and start the process again; to heal the fault stands for the reset. Before the "
        "time-out that lets the execution begin anew.",
        changes=(
            *HANGS,
            *kernel_log("peers", HANG_ON_COLLECTIVES),
            *counted("target", "timeout"),
            *counted("peers", "hw_collectives_error"),
        ),
        begin=_hang,
    ),
    Fault(
        name="straggler",
        target="core",
        lasting=True,
        shows=(
            "The core's engines are active for longer for the same FLOPs.",
            "Its peers stay busy, in collectives for longer; the throughput of all falls and latencies grow.",
            TOO_LONG,
        ),
        recovery="Move the work off the core; heal it, or let it end by itself with --for.",
        changes=(*WORK, *SERVED),
        begin=slow,
        parameters=(factor("how many times as long its engines take", 2.0),),
    ),
)
