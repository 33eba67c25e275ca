"""The Neuron runtime's status codes: value, name, counter in sysfs, meaning, advice, and neuron-monitor's tallies.

Source of codes and counters: the runtime's public header and the driver; of the advice on 1201 to 1205: AWS's
troubleshooting guide and node problem detector; the other advice is this project's own.
"""

from typing import NamedTuple

DEFAULT_EXECUTION_TIMEOUT_S = 30

OUTCOMES = (
    "completed",
    "completed_with_err",
    "completed_with_num_err",
    "timed_out",
    "incorrect_input",
    "failed_to_queue",
)
"""How an execution can end: the keys of neuron-monitor's execution_summary, in its order."""
ERROR_KINDS = ("generic", "numerical", "transient", "model", "runtime", "hardware")
"""neuron-monitor's kinds of error, in its order."""

STATUS_SUBTYPES = {
    "execute_sw_semaphore_error": 1004,
    "execute_sw_event_error": 1004,
    "execute_sw_psum_collision": 1004,
    "execute_sw_sequencer_fatal": 1004,
}
"""Status directories that tell apart what one code sums up -> that code."""
STATUS_WITHOUT_CODE = "generic_error"
"""The one status directory without a code; the runtime no longer writes it since 2.25."""


class Status(NamedTuple):
    """One status code of the runtime."""

    value: int
    name: str
    """As in the runtime's header, such as "NRT_RESOURCE"."""
    directory: str | None
    """The counter below a core's stats/status; None for a code that the driver does not count."""
    meaning: str
    advice: str
    outcome: str | None = None
    """One of `OUTCOMES`, where known."""
    error_kind: str | None = None
    """One of `ERROR_KINDS`, where known."""
    error_kind_assumed: bool = False
    """True where no source states the kind and it is read off the code's name."""


_TERMINATE = "Move the work away and terminate the instance: the memory cannot be repaired."
_TABLE = (
    Status(0, "NRT_SUCCESS", "success", "The call succeeded.", "Nothing to do.", "completed"),
    Status(
        1,
        "NRT_FAILURE",
        "failure",
        "The call failed for a reason that has no code of its own.",
        "Read the runtime's log just before the failure.",
        error_kind="generic",
        error_kind_assumed=True,
    ),
    Status(
        2,
        "NRT_INVALID",
        "invalid_error",
        "An argument or a NEFF is not valid.",
        "Check the call's arguments, and that the model was compiled for this chip.",
    ),
    Status(
        3,
        "NRT_INVALID_HANDLE",
        None,
        "A handle was given that the runtime does not know.",
        "Look for a model or tensor that is used after it was freed.",
    ),
    Status(
        4,
        "NRT_RESOURCE",
        "resource_error",
        "Memory, on the device or the host, ran out.",
        "Read the usage table in the runtime's log; use a smaller batch or context, or more cores.",
    ),
    Status(
        5,
        "NRT_TIMEOUT",
        "timeout",
        "An execution did not end in time.",
        "Look for a core or collective that hangs; if executions are just long, raise the runtime's timeout.",
        "timed_out",
    ),
    Status(
        6,
        "NRT_HW_ERROR",
        "hw_error",
        "The hardware failed.",
        "Read the kernel log and the ECC counters; reset the device, replace the instance if it happens again.",
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        7,
        "NRT_QUEUE_FULL",
        "execute_failed_to_queue",
        "The execution queue had no room.",
        "Send fewer requests at a time, or add replicas.",
        "failed_to_queue",
    ),
    Status(
        9,
        "NRT_LOAD_NOT_ENOUGH_NC",
        "resource_nc_error",
        "Fewer cores are free than the model needs.",
        "See which process holds the cores, and check NEURON_RT_VISIBLE_CORES and NEURON_RT_NUM_CORES.",
    ),
    Status(
        10,
        "NRT_UNSUPPORTED_NEFF_VERSION",
        "unsupported_neff_version",
        "The model was compiled for another generation of the runtime.",
        "Compile it again with the compiler that belongs to the installed runtime.",
    ),
    Status(
        11,
        "NRT_FAIL_HOST_MEM_ALLOC",
        None,
        "Host memory ran out.",
        "Free host memory, or use an instance with more of it.",
    ),
    Status(
        13,
        "NRT_UNINITIALIZED",
        None,
        "The runtime was used before it was initialised.",
        "Look for an earlier initialisation error in the runtime's log.",
    ),
    Status(
        14,
        "NRT_CLOSED",
        None,
        "The runtime was used after it was closed.",
        "Look for work that goes on while the process shuts down.",
    ),
    Status(15, "NRT_QUEUE_EMPTY", None, "There was nothing to take from the queue.", "Nothing to do."),
    Status(
        101,
        "NRT_EXEC_UNIT_UNRECOVERABLE",
        None,
        "A core is in a state that it cannot leave by itself.",
        "Restart the process; if that does not help, reset the device or replace the instance.",
    ),
    Status(
        1002,
        "NRT_EXEC_BAD_INPUT",
        "exec_bad_input",
        "An execution got input that does not fit the model.",
        "Compare names, shapes and types of the tensors with what the model was compiled for.",
        "incorrect_input",
    ),
    Status(
        1003,
        "NRT_EXEC_COMPLETED_WITH_NUM_ERR",
        "execute_completed_with_num_error",
        "An execution ended with NaN or another numerical error in its output.",
        "Check the input, the data type and, in training, the learning rate and loss scaling.",
        "completed_with_num_err",
        "numerical",
    ),
    Status(
        1004,
        "NRT_EXEC_COMPLETED_WITH_ERR",
        "execute_completed_with_error",
        "An execution ended with an error.",
        "Read the runtime's log; the execute_sw_* counters tell some causes apart.",
        "completed_with_err",
    ),
    Status(
        1005,
        "NRT_EXEC_NC_BUSY",
        None,
        "The core was busy, as it is during a reset.",
        "Try again; see which process holds the core if it stays busy.",
    ),
    Status(
        1006,
        "NRT_EXEC_OOB",
        "oob_error",
        "An execution reached beyond the bounds of a tensor.",
        "Check the indices given to gather and scatter operations.",
    ),
    Status(1100, "NRT_COLL_PENDING", None, "A collective operation has not ended yet.", "Nothing to do: ask again."),
    Status(
        1200,
        "NRT_EXEC_HW_ERR_COLLECTIVES",
        "hw_collectives_error",
        "A collective operation hangs or failed.",
        "Find the rank that does not take part: on another core, process or node.",
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        1201,
        "NRT_EXEC_HW_ERR_HBM_UE",
        "hw_hbm_ue_error",
        "Device memory had an error that could not be corrected.",
        _TERMINATE,
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        1202,
        "NRT_EXEC_HW_ERR_NC_UE",
        "hw_nc_ue_error",
        "A core, or its SRAM, had an error that could not be corrected.",
        "Move the work away and terminate the instance.",
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        1203,
        "NRT_EXEC_HW_ERR_DMA_ABORT",
        "hw_dma_abort_error",
        "A DMA engine aborted.",
        "Move the work away and replace the instance.",
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        1204,
        "NRT_EXEC_SW_NQ_OVERFLOW",
        "execute_sw_nq_overflow",
        "More notifications came than their queue could hold.",
        "Restart the process; if it was being profiled, capture less at a time.",
    ),
    Status(
        1205,
        "NRT_EXEC_HW_ERR_REPAIRABLE_HBM_UE",
        "hw_repairable_hbm_ue_error",
        "Device memory had an error that could not be corrected but that the hardware can repair.",
        "Reload the Neuron driver, or reboot the instance: that repairs it.",
        error_kind="hardware",
        error_kind_assumed=True,
    ),
    Status(
        1206,
        "NRT_NETWORK_PROXY_FAILURE",
        None,
        "The network proxy of the collectives failed.",
        "Check EFA, its security group and the other nodes of the job.",
    ),
)

STATUSES = {status.value: status for status in _TABLE}
"""By value."""
STATUS_OF_DIRECTORY = {status.directory: status for status in _TABLE if status.directory} | {
    directory: STATUSES[value] for directory, value in STATUS_SUBTYPES.items()
}
"""By the name of the status directory, those of subtypes included."""
