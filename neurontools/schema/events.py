"""What happened, in order: kernel and runtime log lines, processes that started and ended."""

from neurontools.schema.document import Document

KERNEL_LOG = "kernel_log"
RUNTIME_LOG = "runtime_log"
PROCESS_START = "process_start"
PROCESS_END = "process_end"
KINDS = (KERNEL_LOG, RUNTIME_LOG, PROCESS_START, PROCESS_END)


class Event(Document, frozen=True, kw_only=True):
    """One event. `seq` grows by one from 1 at boot; `text` is the log line or what the process was."""

    seq: int
    time_ns: int
    kind: str
    text: str
    pid: int | None = None
    device: int | None = None
    core: int | None = None


class Events(Document, frozen=True, kw_only=True):
    """Events after a number. `lost` counts those that the source no longer keeps."""

    events: tuple[Event, ...] = ()
    lost: int = 0
