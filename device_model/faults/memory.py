"""Errors of device memory and of the cores' SRAM: corrected ones that are counted, and those that end work."""

from collections.abc import Callable

from device_model.faults.effects import at, ended_by, health, kernel_log, on_devices
from device_model.faults.fault import Begin, Fault, Parameters, Target, Undo, disturb, number, per_hour
from device_model.faults.repeating import Repeating
from device_model.machine.core import Core
from device_model.machine.kernel_log import HBM_UNCORRECTABLE, SRAM_UNCORRECTABLE
from device_model.runtime.fate import CORE, HBM, HBM_REPAIRABLE
from device_model.runtime.runtime import Runtime
from neurontools.hardware.driver import HEALTH_FAMILIES

Affected = Callable[[Target], tuple[Core, ...]]
"""The cores whose memory a target's error is in."""


def _own(target: Target) -> tuple[Core, ...]:
    return target.cores


def _of_bank(target: Target) -> tuple[Core, ...]:
    device, bank = target.devices[0], target.cores[0].bank
    return tuple(device.cores[index] for index in device.bank_cores[bank])


def _corrected(counter: str, affected: Affected) -> Begin:
    def begin(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
        mean_ns = per_hour(parameters["rate"])

        def gap_ns(index: int) -> int:
            return runtime.chance.exponential_ns(target.name, f"{counter} {id}", index, mean_ns)

        def happens(now_ns: int) -> bool:
            target.devices[0].count_ecc(counter)
            for process in runtime.processes_on(affected(target)):
                process.errors["transient"] += 1
            return True

        return Repeating(runtime, id, time_ns, gap_ns, happens).undo

    return begin


def _uncorrected(counter: str, kernel_error: str, code: int) -> Begin:
    def begin(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> None:
        core = target.cores[0]
        target.devices[0].count_ecc(counter)
        runtime.hardware_error(time_ns, core, kernel_error)
        for process in runtime.processes_on((core,)):
            runtime.fail_next(time_ns, process, code, core)

    return begin


def _repairable(runtime: Runtime, target: Target, parameters: Parameters, time_ns: int, id: int) -> Undo:
    core = target.cores[0]
    target.devices[0].count_ecc("mem_ecc_repairable_uncorrected")
    core.failing_by[id] = HBM_REPAIRABLE
    disturb(runtime, target, time_ns)

    def undo(now_ns: int) -> None:
        del core.failing_by[id]
        disturb(runtime, target, now_ns)

    return undo


_RATE = number("rate", 60.0, 0.001, 3_600_000.0, "an hour", "errors an hour on average, at random times")
_TERMINATE = "Terminate the instance: the memory cannot be repaired. What is started there again works in the model."

FAULTS = (
    Fault(
        name="hbm-corrected",
        target="core",
        lasting=True,
        shows=(
            "The device's mem_ecc_corrected grows, one at a time.",
            "Each process on that bank of memory counts a transient error; nothing fails.",
        ),
        recovery="Nothing needs to be done; heal it, or let it end by itself with --for.",
        changes=(*on_devices("target", "ecc/mem_ecc_corrected"), *at("processes", "processes/*/errors/transient")),
        begin=_corrected("mem_ecc_corrected", _of_bank),
        parameters=(_RATE,),
    ),
    Fault(
        name="sram-corrected",
        target="core",
        lasting=True,
        shows=(
            "The device's sram_ecc_corrected grows, one at a time, and wraps at 16 bits.",
            "The process on the core counts a transient error; nothing fails.",
        ),
        recovery="Nothing needs to be done; heal it, or let it end by itself with --for.",
        changes=(*on_devices("target", "ecc/sram_ecc_corrected"), *at("processes", "processes/*/errors/transient")),
        begin=_corrected("sram_ecc_corrected", _own),
        parameters=(_RATE,),
    ),
    Fault(
        name="hbm-uncorrected",
        target="core",
        lasting=False,
        shows=(
            "The device's mem_ecc_uncorrected goes up by one, and the kernel's log has HBM_UNCORRECTABLE_ERROR.",
            "The next execution on the core ends with status 1201, and so does its process.",
        ),
        recovery=_TERMINATE,
        changes=(
            *ended_by("hw_hbm_ue_error"),
            *on_devices("target", "ecc/mem_ecc_uncorrected"),
            *health("target", "hbm_ecc_err_count"),
            *kernel_log("first core", HBM_UNCORRECTABLE),
        ),
        begin=_uncorrected("mem_ecc_uncorrected", HBM_UNCORRECTABLE, HBM),
    ),
    Fault(
        name="hbm-repairable",
        target="core",
        lasting=True,
        shows=(
            "The device's mem_ecc_repairable_uncorrected goes up by one.",
            "Every execution on the core ends with status 1205, and so does its process.",
        ),
        recovery="Reload the Neuron driver or reboot the instance; to heal the fault stands for that.",
        changes=(
            *ended_by("hw_repairable_hbm_ue_error"),
            *on_devices("target", "ecc/mem_ecc_repairable_uncorrected"),
            *health("target", "repairable_hbm_ecc_err_count"),
        ),
        begin=_repairable,
        families=HEALTH_FAMILIES,
    ),
    Fault(
        name="sram-uncorrected",
        target="core",
        lasting=False,
        shows=(
            "The device's sram_ecc_uncorrected goes up by one, and the kernel's log has SRAM_UNCORRECTABLE_ERROR.",
            "The next execution on the core ends with status 1202, and so does its process.",
        ),
        recovery=_TERMINATE,
        changes=(
            *ended_by("hw_nc_ue_error"),
            *on_devices("target", "ecc/sram_ecc_uncorrected"),
            *health("target", "sram_ecc_err_count"),
            *kernel_log("first core", SRAM_UNCORRECTABLE),
        ),
        begin=_uncorrected("sram_ecc_uncorrected", SRAM_UNCORRECTABLE, CORE),
    ),
)
