"""What faults have in common of what they change: slower work, work that ends, memory that is given back."""

from device_model.faults.fault import Change, Where
from neurontools.hardware.driver import HEALTH_FAMILIES

_OF_A_CORE = (
    *("busy_ns", "collectives_ns", "flops", "hbm_read_bytes", "hbm_written_bytes"),
    *(f"engines/{engine}_ns" for engine in ("tensor", "vector", "scalar", "gpsimd")),
    *(f"pe_cntrs/*/{count}" for count in ("mm_active", "wl_active", "idle")),
    *(f"other_info/{counter}/total" for counter in ("inference_count", "flop_count", "nc_time_in_use")),
    *(f"other_info/{counter}/present" for counter in ("flop_count", "nc_time_in_use")),
    "status/success/total",
)
_OF_A_DEVICE = (
    *(f"links/*/{side}_bytes" for side in ("transmitted", "received")),
    "power/avg_percent",
)
_OF_A_PROGRAM = (
    "executions/completed",
    *(f"latency_{part}/{what}" for part in ("total", "device") for what in ("counts/*", "sum_ns")),
    *(f"vcpu_{kind}_ns" for kind in ("user", "system")),
    *(f"workload/{count}" for count in ("submitted", "completed", "prompt_tokens", "generated_tokens")),
    "workload/cached_tokens",
    *(f"workload/{name}/{w}" for name in ("time_to_first_token", "request_latency") for w in ("counts/*", "sum_ns")),
)
_FREED_ON_A_CORE = (
    *(f"device_memory/{file}" for file in ("total", "present")),
    "host_memory/total",
    *(
        f"memory/{category}/total"
        for category in (
            *("collectives", "constants", "dma_rings", "model_code", "model_shared_scratchpad"),
            *("notifications", "runtime_memory", "tensors"),
        )
    ),
)
_FREED_ON_A_DEVICE = (
    *(f"banks/*/{figure}" for figure in ("used_bytes", "largest_free_bytes")),
    *(
        f"host_memory/{category}/total"
        for category in ("application_memory", "dma_buffers", "dma_rings", "notifications")
    ),
)


TOO_LONG = (
    "An execution that takes longer than its time-out, 30 s by default, ends with status 5, and so does its process."
)
"""What shows of slow hardware that is very slow."""


def at(where: Where, *paths: str) -> tuple[Change, ...]:
    """Changes at these paths of the same extent."""
    return tuple(Change(path, where) for path in paths)


def on_cores(where: Where, *paths: str) -> tuple[Change, ...]:
    """Changes of numbers of cores."""
    return at(where, *(f"devices/*/cores/*/{path}" for path in paths))


def on_devices(where: Where, *paths: str) -> tuple[Change, ...]:
    """Changes of numbers of devices."""
    return at(where, *(f"devices/*/{path}" for path in paths))


def counted(where: Where, *counters: str) -> tuple[Change, ...]:
    """Status counters that move for the first time."""
    return on_cores(where, *(f"status/{name}/{file}" for name in counters for file in ("total", "present")))


def health(where: Where, *files: str) -> tuple[Change, ...]:
    """Changes of health files, on the chips that have them."""
    return tuple(Change(f"devices/*/health/{file}", where, HEALTH_FAMILIES) for file in files)


def kernel_log(where: Where, error: str) -> tuple[Change, ...]:
    """A line in the kernel's log, which the driver counts."""
    return (*at(where, f"events/kernel_log/{error}"), *health(where, "hw_error_event"))


HOST_WORK = (*at("processes", *(f"host/cpus/*/{kind}" for kind in ("user", "system", "idle"))),
             *at("node", "host/context_switches"))  # fmt: skip
"""What the processes' threads use of the host."""

WORK = (*on_cores("processes", *_OF_A_CORE), *on_devices("processes", *_OF_A_DEVICE), *HOST_WORK)
"""The processes' cores do other work than they would."""

SERVED = at("processes", *(f"processes/*/{path}" for path in _OF_A_PROGRAM))
"""The processes get other results than they would, and at other times."""

ENDS = (
    *WORK,
    *on_cores("processes", *_FREED_ON_A_CORE),
    *on_devices("processes", *_FREED_ON_A_DEVICE),
    *at("processes", "processes/*", "inventory/devices/*/holders/*", "allocations/*/banks/*/allocations"),
    *at("processes", "events/process_end"),
    *at("node", "host/memory_used_bytes"),
)
"""The processes end: nothing is done any more, and all memory is free."""

HANGS = (*ENDS, *SERVED, *at("processes", "events/runtime_log"))
"""Nothing completes any more, and after the time-out the processes end."""


def ended_by(counter: str) -> tuple[Change, ...]:
    """An execution fails on the first core, under a status counter, and its process ends."""
    return (*ENDS, *counted("first core", counter), *at("first core", "events/runtime_log"))


def loses(counter: str, outcome: str) -> tuple[Change, ...]:
    """Executions fail under a status counter and an outcome; the processes go on, and their clients ask again."""
    return (
        *(*WORK, *SERVED, *counted("processes", counter), *at("first core", "events/runtime_log")),
        *at("processes", f"processes/*/executions/{outcome}"),
        *at("processes", "processes/*/workload/failed", "processes/*/workload/running"),
    )
