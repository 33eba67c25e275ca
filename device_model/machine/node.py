"""The simulated host as a whole: an instance type made into devices, links and a host."""

from device_model.kernel.chance import Chance
from device_model.machine.activity import Lockstep, Pattern
from device_model.machine.core import Core
from device_model.machine.device import Device
from device_model.machine.driver import Driver
from device_model.machine.host import Host
from device_model.machine.links import Links
from device_model.machine.power import PowerMeter
from neurontools.hardware.chips import core_memory_bytes_per_s
from neurontools.hardware.driver import ATTRIBUTES
from neurontools.hardware.instances import Instance, chip_of, link_bytes_per_s
from neurontools.hardware.topology import adjacency


class Node:
    """All hardware of one instance, and what is switched on since `boot_ns`."""

    def __init__(self, instance: Instance, chance: Chance, boot_ns: int, logical_neuroncore_config: int) -> None:
        self.instance = instance
        self.chip = chip_of(instance)
        self.boot_ns = boot_ns
        self.logical_neuroncore_config = logical_neuroncore_config
        self.devices = [
            Device(i, self.chip, i * self.chip.cores, self._serial_number(chance, i)) for i in range(instance.devices)
        ]
        self.driver = Driver()
        self.cores: list[Core] = [core for device in self.devices for core in device.cores]
        capacity = link_bytes_per_s(instance)
        self.links = Links(adjacency(instance), None if capacity is None else int(capacity))
        self.power = PowerMeter(core_memory_bytes_per_s(self.chip))
        self.host = Host(instance.vcpus, instance.host_memory_bytes)
        for core in self.cores:
            core.count("reset_req_count")  # the driver resets every core once when it loads

    def _serial_number(self, chance: Chance, device: int) -> str | None:
        """None where the chip's driver shows no serial number."""
        shown = any(a.path == "info/serial_number" and self.chip.family in a.families for a in ATTRIBUTES)
        return f"{chance.bits(f'device{device}', 'serial', 0):016x}" if shown else None

    def begin_work(self, cores: tuple[Core, ...], patterns: tuple[Pattern, ...], time_ns: int) -> Lockstep:
        """Makes free cores a lockstep group, whose traffic goes the ways of `patterns`."""
        group = Lockstep(tuple(core.number for core in cores), patterns)
        for core in cores:
            core.attach(group)
        for device in sorted({core.device for core in cores}):
            self.devices[device].begin_work(group, time_ns)
        self.links.attach(group)
        return group

    def end_work(self, group: Lockstep, time_ns: int) -> None:
        """Dissolves a group; every counter keeps what the group added."""
        group.meter.finish(time_ns)
        for number in group.cores:
            self.cores[number].detach(time_ns)
        for device in sorted({self.cores[number].device for number in group.cores}):
            self.devices[device].end_work(group, time_ns)
        self.links.detach(group, time_ns)
