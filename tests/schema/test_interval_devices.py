"""Power, banks and the host's vCPUs in an interval."""

from __future__ import annotations

from typing import Any

import pytest

from neurontools.schema.interval import CpuPercents, between
from neurontools.schema.snapshot import Bank, Core, CpuTimes, Device, Host, Power, Snapshot
from tests.schema.strategies import node_at


def _one_device(time_ns: int, **counted: Any) -> Snapshot:
    return node_at(time_ns, Device(index=0, **counted))


def test_power_without_data_is_unknown_not_zero() -> None:
    silent = between(_one_device(1), _one_device(2, power=Power(status="POWER_STATUS_NO_DATA"))).devices[0]
    idle = between(_one_device(1), _one_device(2, power=Power(status="POWER_STATUS_VALID", epoch_s=60))).devices[0]
    assert (silent.power_status, silent.power_avg_percent, silent.power_epoch_s) == ("POWER_STATUS_NO_DATA", None, None)
    assert (idle.power_avg_percent, idle.power_epoch_s) == (0.0, 60)


def test_a_bank_says_how_much_is_free_and_how_scattered() -> None:
    bank = Bank(index=1, total_bytes=100, used_bytes=60, largest_free_bytes=30, cores=(2, 3))
    cores = tuple(Core(core=8 + index, index=index) for index in range(4))
    device = Device(index=1, cores=cores, banks=(bank,))
    found = between(node_at(1, device, core_size=2), node_at(2, device, core_size=2)).devices[0]
    assert found.banks[0].cores == (5,)
    assert (found.banks[0].free_bytes, found.banks[0].used_percent) == (40, 60.0)
    assert found.banks[0].fragmentation_percent == 25.0
    assert (found.memory_used_bytes, found.memory_total_bytes, found.memory_used_percent) == (60, 100, 60.0)


def test_host_average_is_over_the_time_of_all_vcpus_as_in_the_capture() -> None:
    """A capture has user 50, 16.67, 0 and 20 on four vCPUs of 4, 6, 4 and 5 ticks, and 26.32 for all.

    The third vCPU did not tick in user mode; the mean of the four percents would be 21.67.
    """
    zero = CpuTimes(0, 0, 0, 0, 0, 0, 0)
    ticks = ((3, 3), (1, 5), (0, 2), (1, 4))
    cpus = tuple(CpuTimes(user, 0, 0, idle, 0, 0, 0) for user, idle in ticks)
    host = between(node_at(1, host=Host(cpus=(zero,) * 4)), node_at(2, host=Host(cpus=cpus))).host
    assert host is not None
    assert host.average is not None
    assert host.average.user == pytest.approx(100 * 5 / 19)
    assert [round(cpu.user, 2) for cpu in host.cpus or () if cpu] == [50.0, 16.67, 0.0, 20.0]


def test_a_vcpu_whose_idle_time_is_corrected_backwards_is_no_reset() -> None:
    before = node_at(1, host=Host(cpus=(CpuTimes(5, 0, 0, 100, 0, 0, 0), CpuTimes(1, 0, 0, 1, 0, 0, 0))))
    after = node_at(2, host=Host(cpus=(CpuTimes(9, 0, 0, 99, 0, 0, 0), CpuTimes(1, 0, 0, 1, 0, 0, 0))))
    interval = between(before, after)
    assert interval.host is not None
    assert interval.host.cpus == (CpuPercents(100.0, 0, 0, 0, 0, 0, 0), None)
    assert interval.resets == ()
