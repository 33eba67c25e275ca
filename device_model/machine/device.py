"""One simulated Neuron device: cores, memory banks, the driver's accounting of them, and its error counters."""

from typing import NamedTuple

from device_model.machine.activity import NS_PER_MINUTE, Lockstep
from device_model.machine.core import Core
from device_model.machine.hbm import RESERVED_BYTES, Bank, Chunk, Owner
from device_model.machine.ledger import Ledger
from device_model.machine.power import Workers
from neurontools.hardware.chips import Chip, banks_of_core, cores_of_bank
from neurontools.hardware.driver import ECC_COUNTERS, SRAM_ECC_BITS

_SRAM = "sram"


class _Worker(NamedTuple):
    group: Lockstep
    share: float
    until_ns: int | None


class Device:
    """A device whose cores are numbered over the node from `first_core` on.

    `bank_cores` are the cores, numbered within the device, that each bank serves. Kept by cause are `resetting_by`,
    what resets it now, and `unusable_by`, resets that have failed.
    """

    def __init__(self, index: int, chip: Chip, first_core: int, serial_number: str | None) -> None:
        self.index = index
        self.chip = chip
        self.serial_number = serial_number
        self.banks = [Bank(i, chip.bank_bytes) for i in range(chip.banks)]
        self.cores = [Core(first_core + i, index, i, banks_of_core(chip, i)[0]) for i in range(chip.cores)]
        self.bank_cores = [cores_of_bank(chip, bank.index) for bank in self.banks]
        self.ledger = Ledger(chip.cores)
        self.ecc = dict.fromkeys(ECC_COUNTERS, 0)
        self.hardware_errors = 0
        self.resetting_by: set[int] = set()
        self.unusable_by: set[int] = set()
        self._workers: list[_Worker] = []
        for served in self.bank_cores:
            self.ledger.allocate_device(served[0], "driver_memory", RESERVED_BYTES)

    @property
    def reset_state(self) -> str:
        """The driver's word for what its reset has come to, in lower case."""
        return "reset" if self.resetting_by else "invalid" if self.unusable_by else "ready"

    @property
    def ready(self) -> bool:
        """Whether it takes work."""
        return not (self.resetting_by or self.unusable_by)

    @property
    def open(self) -> bool:
        """Whether a process has it open."""
        return any(core.holder is not None for core in self.cores)

    def begin_reset(self, cause: int) -> None:
        """It takes no work until what resets it has been taken out of `resetting_by`."""
        self.resetting_by.add(cause)
        for core in self.cores:
            core.count("reset_req_count")

    def count_ecc(self, name: str) -> None:
        """Counts a memory error under the driver's name; the counts of SRAM wrap."""
        self.ecc[name] += 1
        if name.startswith(_SRAM):
            self.ecc[name] %= 1 << SRAM_ECC_BITS

    def allocate(self, size: int, owner: Owner, from_top: bool = False) -> Chunk:
        """Takes memory from the bank of the owner's core; raises OutOfMemory."""
        chunk = self.banks[self.cores[owner.core].bank].allocate(size, owner, from_top)
        self.ledger.allocate_device(owner.core, owner.category, chunk.size)
        return chunk

    def free(self, chunk: Chunk) -> None:
        """Gives one block back."""
        self.banks[self.cores[chunk.owner.core].bank].free(chunk)
        self.ledger.free_device(chunk.owner.core, chunk.owner.category, chunk.size)

    def chunks_of(self, pid: int) -> list[Chunk]:
        """What a process holds on this device, in order of bank and address."""
        return [chunk for bank in self.banks for chunk in bank.chunks() if chunk.owner.pid == pid]

    def begin_work(self, group: Lockstep, time_ns: int) -> None:
        """The group's cores on this device draw power from now on."""
        self._forget(time_ns)
        mine = sum(core.number in group.cores for core in self.cores)
        self._workers.append(_Worker(group, mine / len(self.cores), None))

    def end_work(self, group: Lockstep, time_ns: int) -> None:
        """The group has left; its share of the running minute is kept."""
        self._forget(time_ns)
        self._workers = [w._replace(until_ns=time_ns) if w.group is group else w for w in self._workers]

    def _forget(self, time_ns: int) -> None:
        recent = time_ns - 2 * NS_PER_MINUTE
        self._workers = [w for w in self._workers if w.until_ns is None or w.until_ns >= recent]

    def workers(self) -> Workers:
        """The groups that work here or did when the last one came or went, two minutes before that included."""
        return tuple((worker.group, worker.share) for worker in self._workers)
