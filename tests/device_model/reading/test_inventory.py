"""The inventory and the bank map of a simulated host."""

from itertools import pairwise

import pytest

from neurontools.hardware.instances import INSTANCES, chip_of, core_count, lookup
from tests.device_model.hosts import forward, host, process_of, server


@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_what_is_installed_is_the_instance_type_and_marked_as_simulated(name: str) -> None:
    inventory = host(instance=name).inventory()
    instance = lookup(name)
    assert (inventory.instance_type, inventory.topology) == (name, instance.topology)
    assert sum(device.cores for device in inventory.devices) == core_count(instance)
    assert inventory.logical_neuroncore_config == chip_of(instance).default_lnc
    assert inventory.lnc_assumed
    assert inventory.simulated
    assert inventory.instance_id == "i-" + "0" * 17
    assert (inventory.region, inventory.availability_zone) == ("simulated", "simulated")
    assert inventory.instance_name == f"simulated:{inventory.scenario}"
    for i, device in enumerate(inventory.devices):
        assert device.device == i
        assert all(i in inventory.devices[peer].connected_to for peer in device.connected_to)
        assert device.bdf == (instance.bdfs[i] if instance.bdfs else None)


def test_holders_are_the_processes_that_are_alive() -> None:
    model = forward(host(server("a", tp=4, command="one"), server("b", command="two", start="3s")), 2)
    assert [[h.command for h in device.holders] for device in model.inventory().devices[:3]] == [["one"], ["one"], []]
    forward(model, 1)
    assert [[h.command for h in d.holders] for d in model.inventory().devices[:3]] == [["one"], ["one"], ["two"]]
    process = process_of(model, "a")
    assert process is not None
    assert model.inventory().devices[0].holders[0].pid == process.pid
    model.signal(process.pid, 15)
    assert [len(device.holders) for device in model.inventory().devices[:3]] == [0, 0, 1]


def test_a_told_core_size_is_not_assumed() -> None:
    inventory = host(instance="trn2.3xlarge", logical_neuroncore_config=1).inventory()
    assert (inventory.logical_neuroncore_config, inventory.lnc_assumed) == (1, False)


def test_the_bank_map_names_every_owner() -> None:
    model = forward(host(server("a"), instance="trn2.3xlarge"), 10)
    process = process_of(model, "a")
    assert process is not None
    found = model.allocations(0)
    assert (found.device, found.time_ns, len(found.banks)) == (0, model.now_ns, 4)
    by_core: dict[int, dict[str, int]] = {}
    for bank in found.banks:
        addresses = [(block.address, block.address + block.size) for block in bank.allocations]
        assert all(end <= start for (_, end), (start, _) in pairwise(addresses))
        for block in bank.allocations:
            assert block.pid == process.pid
            assert block.model in ("", "opt-1.3b")
            held = by_core.setdefault(block.core, {})
            held[block.category] = held.get(block.category, 0) + block.size
    assert by_core == process.memory


@pytest.mark.parametrize("device", [-1, 12])
def test_there_is_no_map_of_a_device_that_there_is_not(device: int) -> None:
    with pytest.raises(IndexError):
        host().allocations(device)
