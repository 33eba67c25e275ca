"""The node as it is switched on, and the beginning and end of work on it."""

import pytest

from device_model.machine.activity import NOTHING
from device_model.machine.core import Tally
from device_model.machine.hbm import RESERVED_BYTES, Owner
from neurontools.hardware.chips import cores_of_bank
from neurontools.hardware.instances import INSTANCES, core_count, lookup, total_memory_bytes
from tests.device_model.machine.lockstep import BOOT_NS, node, work


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_a_node_is_its_instance_type(name: str) -> None:
    host, instance = node(name), lookup(name)
    assert [core.number for core in host.cores] == list(range(core_count(instance)))
    assert sum(bank.total_bytes for device in host.devices for bank in device.banks) == total_memory_bytes(instance)
    serials = {device.serial_number for device in host.devices}
    assert serials == {None} if host.chip.name == "Inferentia" else len(serials) == instance.devices
    for device in host.devices:
        assert [core.device for core in device.cores] == [device.index] * host.chip.cores
        for bank in device.banks:
            first, *others = cores_of_bank(host.chip, bank.index)
            assert device.ledger.device_core(first).total == RESERVED_BYTES == bank.used_bytes
            assert [device.ledger.device_core(core).total for core in others] == [0] * len(others)
    assert all(core.tallies == {"reset_req_count": Tally(1, 1)} for core in host.cores)
    assert all(core.read(BOOT_NS) == NOTHING for core in host.cores)
    assert 0 < host.host.system_bytes <= host.host.memory_bytes // 8


def test_serial_numbers_belong_to_seed_and_device_and_not_to_the_instance_type() -> None:
    small, large = node("inf2.xlarge"), node("inf2.48xlarge")
    assert small.devices[0].serial_number == large.devices[0].serial_number
    assert node(seed=2).devices[0].serial_number != large.devices[0].serial_number


def test_memory_is_taken_from_the_bank_of_the_core_and_entered_in_the_books() -> None:
    device = node("trn2.3xlarge").devices[0]
    chunk = device.allocate(5000, Owner(7, 3, "tensors", "m", "tensors"))
    assert [bank.index for bank in device.banks if bank.used_bytes > RESERVED_BYTES] == [1]
    assert device.ledger.device_category(3, "tensors").total == chunk.size == 8192
    assert device.chunks_of(7) == [chunk]
    device.free(chunk)
    assert device.chunks_of(7) == []
    assert device.ledger.device_category(3, "tensors").total == 0


def test_work_is_shared_out_and_what_was_counted_stays() -> None:
    host = node()
    group = host.begin_work(tuple(host.cores[3:6]), (), BOOT_NS)
    end = work(group, BOOT_NS, 1000, 7)
    assert [device.workers() for device in host.devices[1:3]] == [((group, 0.5),), ((group, 1.0),)]
    before = [core.read(end) for core in host.cores]
    host.end_work(group, end)
    assert [core.read(end + 5) for core in host.cores] == before
    assert [core.number for core in host.cores if core.read(end).busy_ns == 7000] == [3, 4, 5]
    assert host.devices[0].workers() == ()
    assert host.devices[1].workers() == ((group, 0.5),), "its share of the running minute"
    host.begin_work((host.cores[3],), (), end + 90_000_000_000)
    assert group in [worker for worker, _ in host.devices[1].workers()], "the last full minute began before its end"
    host.begin_work((host.cores[2],), (), end + 200_000_000_000)
    assert group not in [worker for worker, _ in host.devices[1].workers()]
