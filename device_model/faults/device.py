"""Faults of whole devices: they are slower, or take no work while they are reset."""

from device_model.faults.core import slow
from device_model.faults.effects import SERVED, TOO_LONG, WORK, at, on_cores, on_devices
from device_model.faults.fault import Fault, Parameters, Target, Undo, disturb, factor, flag, number
from device_model.kernel.clock import NS
from device_model.kernel.queue import Order
from device_model.runtime.runtime import RESET_NS, Runtime


def _reset(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    (device,) = target.devices
    device.begin_reset(id)
    disturb(runtime, target, time_ns)

    def give_up(now_ns: int) -> None:
        for core in device.cores:
            core.count("reset_fail_count")
        device.resetting_by.remove(id)
        device.unusable_by.add(id)

    end_ns = time_ns + _seconds_ns(parameters)
    ticket = runtime.queue.schedule(end_ns, Order.FAULT, f"fault {id}", give_up) if parameters["fails"] else None

    def undo(now_ns: int) -> None:
        if ticket is not None:
            ticket.cancel()
        device.resetting_by.discard(id)
        device.unusable_by.discard(id)
        disturb(runtime, target, now_ns)

    return undo


def _seconds_ns(parameters: Parameters) -> int:
    return int(parameters["seconds"] * NS)


FAULTS = (
    Fault(
        name="throttle",
        target="device",
        lasting=True,
        shows=(
            "The engines of all its cores are active for longer for the same FLOPs.",
            "Peers on other devices wait in collectives; the throughput of all falls and latencies grow.",
            TOO_LONG,
        ),
        recovery="Cool the device or lower its load; heal it, or let it end by itself with --for.",
        changes=(*WORK, *SERVED),
        begin=slow,
        parameters=(factor("how many times as long its engines take", 1.5),),
    ),
    Fault(
        name="device-reset",
        target="device",
        lasting=True,
        shows=(
            "The reset state is RESET, and each core's reset_req_count goes up by one.",
            "Executions are refused with NC_BUSY after a second, and what they would have worked on is lost.",
            "With fails it ends as INVALID, and each core's reset_fail_count goes up by one.",
        ),
        recovery="It ends by itself; one that fails lasts until it is healed.",
        changes=(
            *WORK,
            *SERVED,
            *on_devices("target", "reset_state"),
            *on_cores("target", "other_info/reset_req_count/total"),
            *on_cores("target", "other_info/reset_fail_count/total", "other_info/reset_fail_count/present"),
            *at("processes", "processes/*/executions/failed_to_queue"),
            *at("processes", "processes/*/workload/failed", "processes/*/workload/running"),
            *at("first core", "events/runtime_log"),
        ),
        begin=_reset,
        parameters=(
            number("seconds", RESET_NS / NS, 0.001, 480.0, "s", "how long the reset takes"),
            flag("fails", "the reset fails, and the device takes no work until it is healed"),
        ),
        lasts_ns=lambda parameters: None if parameters["fails"] else _seconds_ns(parameters),
    ),
)
