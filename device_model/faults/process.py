"""Faults of programs: wrong numbers, wrong input, too much memory, and processes that end."""

from signal import SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTERM

from device_model.faults.effects import ENDS, HANGS, at, counted, ended_by, kernel_log, loses, on_cores
from device_model.faults.fault import Begin, Fault, FaultError, Parameter, Parameters, Target, Undo, number, share
from device_model.faults.repeating import Repeating
from device_model.kernel.clock import NS
from device_model.machine.kernel_log import HANG_ON_COLLECTIVES
from device_model.runtime.fate import BAD_INPUT, NUMERICAL, OUT_OF_BOUNDS, QUEUE_OVERFLOW
from device_model.runtime.loading import Piece
from device_model.runtime.process import Process
from device_model.runtime.runtime import Runtime
from neurontools.units import MIB

LEAK_STEP_BYTES = MIB
"""The least that a leak takes on a core at once; a faster one takes what it leaks in LEAK_STEP_NS (assumed)."""
LEAK_STEP_NS = NS

SIGNALS = {number.value: number.name for number in (SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGTERM)}
"""Signals by which a program crashes or is killed."""


def _process(target: Target) -> Process:
    if target.process is None:
        raise FaultError(f"expected a process, found {target.name}")
    return target.process


def _spoiled(code: int) -> Begin:
    def begin(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
        process = _process(target)
        process.spoiled[code] = parameters["share"]
        runtime.disturbed(time_ns, process)

        def undo(now_ns: int) -> None:
            del process.spoiled[code]
            runtime.disturbed(now_ns, process)

        return undo

    return begin


def _fails_once(code: int) -> Begin:
    def begin(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> None:
        runtime.fail_next(time_ns, _process(target), code)

    return begin


def _collective_hang(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    process, alone = _process(target), runtime.node.logical_neuroncore_config
    if all(len(team.cores) <= alone for lane in process.teams for team in lane):
        raise FaultError(f"{target.name} has no collectives: each of its NeuronCores works for itself")
    process.stuck_by.add(id)
    runtime.disturbed(time_ns, process)

    def undo(now_ns: int) -> None:
        process.stuck_by.remove(id)
        runtime.disturbed(now_ns, process)

    return undo


def _out_of_memory(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> None:
    process = _process(target)
    core = process.cores[0]
    whole = runtime.node.devices[core.device].banks[core.bank].total_bytes
    runtime.allocate(time_ns, process, Piece("tensors", "tensors", whole))


def _leak(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    process, rate = _process(target), parameters["bytes"] / len(_process(target).cores)
    size = max(LEAK_STEP_BYTES, round(rate * LEAK_STEP_NS / NS))
    step_ns = round(size / rate * NS)

    def happens(now_ns: int) -> bool:
        if process.alive:
            runtime.allocate(now_ns, process, Piece("tensors", "tensors", size))
        return process.alive

    return Repeating(runtime, id, time_ns, lambda _: step_ns, happens).undo


def _crash(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> None:
    runtime.end(time_ns, _process(target), f"killed by {SIGNALS[parameters['signal']]}")


def _signal() -> Parameter:
    names = ", ".join(f"{number} ({name})" for number, name in SIGNALS.items())
    return Parameter("signal", 11, f"one of {names}", "", "the signal that ends it", _is_signal)


def _is_signal(value: object) -> bool:
    return isinstance(value, int) and value in SIGNALS


FAULTS = (
    Fault(
        name="collective-hang",
        target="process",
        lasting=True,
        shows=(
            "The process's cores are in execution all the time, in collectives, and complete nothing.",
            "After 30 s they report status 1200, the kernel's log has HANG_ON_COLLECTIVES for each, and the process "
            "ends.",
        ),
        recovery="Start the process again; before the time-out healing lets the execution begin anew.",
        changes=(
            *HANGS,
            *kernel_log("processes", HANG_ON_COLLECTIVES),
            *counted("processes", "hw_collectives_error"),
        ),
        begin=_collective_hang,
    ),
    Fault(
        name="nan",
        target="process",
        lasting=True,
        shows=(
            "Executions complete, and a share of them with status 1003: completed_with_num_err and a numerical error.",
            "Nothing is lost and nothing is logged.",
        ),
        recovery="Correct the input, the data type or the training; heal it, or let it end by itself with --for.",
        changes=(
            *counted("processes", "execute_completed_with_num_error"),
            *on_cores("processes", "status/success/total"),
            *at("processes", "processes/*/errors/numerical", "processes/*/executions/completed"),
            *at("processes", "processes/*/executions/completed_with_num_err"),
        ),
        begin=_spoiled(NUMERICAL),
        parameters=(share("the share of executions with NaN in their result", 0.01),),
    ),
    Fault(
        name="out-of-bounds",
        target="process",
        lasting=False,
        shows=(
            "One execution ends with status 1006; what it worked on is lost.",
            "The process goes on.",
        ),
        recovery="Nothing needs to be done.",
        changes=loses("oob_error", "completed_with_err"),
        begin=_fails_once(OUT_OF_BOUNDS),
    ),
    Fault(
        name="bad-input",
        target="process",
        lasting=True,
        shows=(
            "A share of executions ends with status 1002 and counts as incorrect_input; what it worked on is lost.",
            "The process goes on.",
        ),
        recovery="Correct what the clients send; heal it, or let it end by itself with --for.",
        changes=loses("exec_bad_input", "incorrect_input"),
        begin=_spoiled(BAD_INPUT),
        parameters=(share("the share of executions with such input", 0.01),),
    ),
    Fault(
        name="queue-overflow",
        target="process",
        lasting=False,
        shows=("The next execution ends with status 1204, and so does the process.",),
        recovery="Start the process again.",
        changes=(*ENDS, *counted("processes", "execute_sw_nq_overflow"), *at("first core", "events/runtime_log")),
        begin=_fails_once(QUEUE_OVERFLOW),
    ),
    Fault(
        name="out-of-memory",
        target="process",
        lasting=False,
        shows=(
            "The process asks for a tensor as large as a bank: status 4 and resource_error on its first core.",
            "The runtime's log has the table of memory in use, and the process ends.",
        ),
        recovery="Start the process again.",
        changes=ended_by("resource_error"),
        begin=_out_of_memory,
    ),
    Fault(
        name="leak",
        target="process",
        lasting=True,
        shows=(
            "The tensors of the process grow evenly on all its cores.",
            "When a bank is full, memory runs out: status 4, resource_error, the table in the runtime's log, and the "
            "process ends.",
        ),
        recovery="Start the process again. Healing stops the growth; what is taken stays taken.",
        changes=(
            *ended_by("resource_error"),
            *on_cores("processes", "device_memory/peak", "memory/tensors/peak", "memory/tensors/present"),
            *at("processes", "processes/*/memory/*/tensors"),
        ),
        begin=_leak,
        parameters=(number("bytes", 100e6, 1.0, 1e12, "a second", "what the process leaks on all its cores together"),),
    ),
    Fault(
        name="crash",
        target="process",
        lasting=False,
        shows=(
            "The process is gone, its memory is free and its cores can be taken.",
            "Neither the driver nor the runtime's log says why.",
        ),
        recovery="Start the process again.",
        changes=ENDS,
        begin=_crash,
        parameters=(_signal(),),
    ),
)
