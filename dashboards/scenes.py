"""What is done to a simulated host, scene by scene, and which alerts must fire when: all others must be silent."""

from collections.abc import Mapping
from typing import Any, NamedTuple

INSTANCE, JOB = "trainer-7:8000", "neuron"

Labels = dict[str, str]
Firing = Mapping[str, tuple[Labels, ...]]
"""By the alerts' names, the labels of what they fire for, beside instance and job."""

SILENCE: Firing = {}


class Scene(NamedTuple):
    """A host with one server for some minutes. `faults` are as in a scenario.

    From minute `away[0]` to `away[1]` nothing can be read of it; at minute `loses_at` its last device is gone from the
    driver's files, which are then what is read. `checks` say what fires at which minute.
    """

    name: str
    about: str
    minutes: int
    checks: tuple[tuple[float, Firing], ...]
    faults: tuple[dict[str, Any], ...] = ()
    server: Mapping[str, Any] = {}
    workload: Mapping[str, Any] = {}
    instance: str = "inf2.8xlarge"
    away: tuple[int, int] | None = None
    loses_at: int | None = None


def _core(core: int, **labels: str) -> Labels:
    return {"neuron_device": str(core // 2), "neuroncore": str(core)} | labels


_DEVICE: Labels = {"neuron_device": "0"}
_BOTH = (_core(0), _core(1))

_OF_HOST: Labels = {"instance": INSTANCE}
_OF_CHAT: Labels = _OF_HOST | {"runtime_tag": "chat"}


class Range(NamedTuple):
    """Between which numbers a recording of the sound host must be, and the labels that it must have."""

    selector: str
    least: float
    most: float
    labels: Labels = _OF_HOST


RANGES: tuple[Range, ...] = (
    Range("instance:neuron_core_utilization:avg", 0.9, 1.0),
    Range("instance:neuron_device_memory_used:ratio", 0.05, 0.5),
    Range("instance:neuron_device_power:avg", 0.05, 1.0),
    Range("instance:neuron_core_flops:rate5m", 1e11, 1e14),
    Range("instance:neuron_core_executions:rate5m", 50.0, 500.0),
    Range("instance:execution_errors:rate5m", -1.0, 0.1),
    Range(
        'instance_runtime_tag_outcome:neuron_process_requests:rate5m{outcome="completed"}',
        1.0,
        10.0,
        _OF_CHAT | {"outcome": "completed"},
    ),
    Range("instance_runtime_tag:neuron_process_generated_tokens:rate5m", 100.0, 1000.0, _OF_CHAT),
    Range("instance_runtime_tag:neuron_process_latency_seconds:p99_5m", 0.01, 0.1, _OF_CHAT),
    Range("instance_runtime_tag:neuron_process_time_to_first_token_seconds:p99_5m", 0.01, 0.5, _OF_CHAT),
    Range("instance_runtime_tag:neuron_process_request_latency_seconds:p99_5m", 0.5, 5.0, _OF_CHAT),
)

SCENES: tuple[Scene, ...] = (
    Scene(
        "sound",
        "a server under load; that an error in HBM is corrected now and then is nothing",
        60,
        ((1, SILENCE), (15, SILENCE), (30, SILENCE), (45, SILENCE), (60, SILENCE)),
        faults=({"fault": "hbm-corrected", "core": 1, "at": "5m", "parameters": {"rate": 20}},),
    ),
    Scene(
        "source-down",
        "the exporter cannot read the host for five minutes",
        16,
        ((4, SILENCE), (7, {"NeuronSourceDown": ({},)}), (9, {"NeuronSourceDown": ({},)}), (14, SILENCE)),
        away=(5, 10),
    ),
    Scene(
        "driver-absent",
        "the driver is unloaded for five minutes",
        16,
        ((4, SILENCE), (7, {"NeuronDriverAbsent": ({},)}), (14, SILENCE)),
        faults=({"fault": "driver-missing", "at": "5m", "for": "5m"},),
        server={"restart": "15s"},
    ),
    Scene(
        "device-missing",
        "the last of six devices is gone from the driver's files",
        16,
        ((4, SILENCE), (9, SILENCE), (11, {"NeuronDeviceMissing": ({"rule": "device-missing"},)})),
        instance="inf2.24xlarge",
        loses_at=5,
    ),
    Scene(
        "uncorrectable-error",
        "an error in HBM that cannot be corrected ends the server",
        20,
        (
            (4, SILENCE),
            (
                6,
                {
                    "NeuronUncorrectableError": ({**_DEVICE, "event": "mem_ecc_uncorrected"},),
                    "NeuronHardwareError": (_core(1, status="hw_hbm_ue_error"),),
                },
            ),
        ),
        faults=({"fault": "hbm-uncorrected", "core": 1, "at": "5m"},),
    ),
    Scene(
        "repairable-error",
        "an error in HBM that the next load of the driver repairs",
        12,
        (
            (4, SILENCE),
            (
                8,
                {
                    "NeuronRepairableError": ({**_DEVICE, "event": "mem_ecc_repairable_uncorrected"},),
                },
            ),
        ),
        faults=({"fault": "hbm-repairable", "core": 1, "at": "5m"},),
        instance="trn2.3xlarge",
    ),
    Scene(
        "hardware-error",
        "a core fails, later a DMA engine",
        25,
        (
            (4, SILENCE),
            (6, {"NeuronHardwareError": (_core(1, status="hw_nc_ue_error"),)}),
            (
                12,
                {
                    "NeuronHardwareError": (
                        _core(0, status="hw_dma_abort_error"),
                        _core(1, status="hw_nc_ue_error"),
                    )
                },
            ),
        ),
        faults=(
            {"fault": "core-uncorrected", "core": 1, "at": "5m"},
            {"fault": "dma-abort", "core": 0, "at": "10m", "for": "30s"},
        ),
        server={"restart": "15s"},
    ),
    Scene(
        "ecc-growth",
        "errors in HBM are corrected, six a minute",
        30,
        ((4, SILENCE), (8, SILENCE), (25, {"NeuronEccGrowth": ({**_DEVICE, "event": "mem_ecc_corrected"},)})),
        faults=({"fault": "hbm-corrected", "core": 1, "at": "5m", "parameters": {"rate": 360}},),
    ),
    Scene(
        "reset-failed",
        "a device is reset and does not come back",
        15,
        ((4, SILENCE), (8, {"NeuronResetFailed": (_DEVICE,)}), (15, {"NeuronResetFailed": (_DEVICE,)})),
        faults=({"fault": "device-reset", "device": 0, "at": "5m", "parameters": {"seconds": 20, "fails": True}},),
    ),
    Scene(
        "link-down",
        "a link is down for five minutes; the server beside it does not use it",
        16,
        ((4, SILENCE), (8, {"NeuronLinkDown": ({**_DEVICE, "rule": "link-down"},)}), (14, SILENCE)),
        faults=({"fault": "link-down", "link": "0-1", "at": "5m", "for": "5m"},),
        instance="inf2.24xlarge",
    ),
    Scene(
        "out-of-memory",
        "an allocation fails and ends the server, whose supervisor starts it again",
        20,
        ((4, SILENCE), (6, {"NeuronOutOfMemory": (_core(0, status="resource_error"),)}), (18, SILENCE)),
        faults=({"fault": "out-of-memory", "process": "chat", "at": "5m"},),
        server={"restart": "15s"},
    ),
    Scene(
        "execution-timeout",
        "a core hangs, and after half a minute the runtime gives up",
        18,
        (
            (4, SILENCE),
            (
                7,
                {
                    "NeuronExecutionTimeout": (
                        _core(0, status="hw_collectives_error"),
                        _core(1, status="timeout"),
                    )
                },
            ),
            (18, SILENCE),
        ),
        faults=({"fault": "hang", "core": 1, "at": "5m", "for": "1m"},),
    ),
    Scene(
        "no-progress",
        "a core hangs and the runtime waits for it: its time-out is 20 minutes",
        20,
        ((4, SILENCE), (9, {"NeuronNoProgress": _BOTH}), (14, {"NeuronNoProgress": _BOTH}), (19, SILENCE)),
        faults=({"fault": "hang", "core": 1, "at": "5m", "for": "10m"},),
        server={"execution_timeout": "20m"},
    ),
    Scene(
        "allocated-idle",
        "a notebook holds both cores and runs nothing",
        40,
        ((5, SILENCE), (15, SILENCE), (35, {"NeuronAllocatedIdle": _BOTH})),
        workload={"kind": "idle", "cores": 2, "memory": "8GiB"},
    ),
    Scene(
        "latency",
        "a device is throttled for twenty minutes: executions take three times as long",
        55,
        (
            (19, SILENCE),
            (25, SILENCE),
            (35, {"NeuronLatencyP99": ({"percentile": "p99", "runtime_tag": "chat"},)}),
            (50, SILENCE),
        ),
        faults=({"fault": "throttle", "device": 0, "at": "20m", "for": "20m", "parameters": {"factor": 3}},),
    ),
)
