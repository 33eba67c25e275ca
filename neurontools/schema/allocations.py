"""The bank map: who owns which part of a device's memory."""

from neurontools.schema.document import Compact, Document


class Allocation(Compact, frozen=True):
    """One block. `core` is the physical core inside the device; `size` is what the block occupies in bytes."""

    address: int
    size: int
    requested: int
    pid: int
    core: int
    category: str
    model: str
    pool: str


class BankMap(Document, frozen=True, kw_only=True):
    """The blocks of one bank in order of address; free memory is what lies between them."""

    index: int
    total_bytes: int
    reserved_bytes: int
    allocations: tuple[Allocation, ...] = ()


class Allocations(Document, frozen=True, kw_only=True):
    """All banks of a device at one instant."""

    device: int
    time_ns: int
    banks: tuple[BankMap, ...] = ()
