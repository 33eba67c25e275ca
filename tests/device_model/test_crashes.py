"""A process that ends after any number of events leaves nothing behind: no memory, no core, nothing that goes on."""

from collections.abc import Callable
from typing import Any

import pytest

from device_model.simulation import Simulation
from tests.device_model.faults.programs import HOSTS, try_inject
from tests.device_model.hosts import host
from tests.device_model.invariants import check_sums, counters, whole

EVENTS = 160
"""Events up to which a process ends after each: by then every host has loaded its models and works."""

STRIDE = 23
"""Of those the quick tier tries each so many-th."""

MOST_TO_COME = 60
"""Events that may still come to a host without processes: what its clients and timers had planned, in vain."""


def happen(model: Simulation, events: int) -> int:
    """Lets so many events happen, one by one, also of one instant, and returns how many there were."""
    queue = model._world.queue
    for happened in range(events):
        next_ns = queue.next_time()
        if next_ns is None:
            return happened
        model.now_ns = next_ns
        queue.run_next()
    return events


def held(model: Simulation) -> dict[str, Any]:
    """All that processes hold of a host, beside what only the processes themselves know."""
    node, runtime = model._world.node, model._world.runtime
    cores = [(device, core) for device in node.devices for core in device.cores]
    return {
        "free": [bank.free_extents() for device in node.devices for bank in device.banks],
        "blocks": [bank.chunks() for device in node.devices for bank in device.banks],
        "scratchpads": [dict(bank._scratchpad) for device in node.devices for bank in device.banks],
        "device memory": [
            device.ledger.device_core(core.index).total for device in node.devices for core in device.cores
        ],
        "host memory": [use.total for device in node.devices for use in device.ledger.host_reading().values()],
        "cores": [(core.holder, core.group) for _, core in cores],
        "links": list(node.links._groups),
        "devices": [worker.group for device in node.devices for worker in device._workers if worker.until_ns is None],
        "executions": dict(runtime._executor._executions),
        "loads": dict(runtime._loading),
        "processes": [*runtime.processes, *runtime._ended, *model._world.programs],
    }


def check_crash(make: Callable[[], Simulation], events: int) -> bool:
    """Ends the process after so many events; False where there are fewer, or it has ended by itself."""
    model = make()
    if happen(model, events) < events or not model._world.runtime.processes:
        return False
    (process,) = model._world.runtime.processes.values()
    assert held(model) != held(host(instance=model.instance))
    model._world.runtime.end(model.now_ns, process, "killed")
    assert held(model) == held(host(instance=model.instance))
    check_sums(model)
    counted = counters(whole(model))
    assert happen(model, MOST_TO_COME) < MOST_TO_COME, "it goes on without its process"
    now = counters(whole(model))
    grown = {place for place in now if now[place] != counted[place]}
    assert all("pe_cntrs" in place and place.endswith("/2") for place in grown), "idle cycles alone"
    assert held(model) == held(host(instance=model.instance))
    return True


@pytest.mark.parametrize("kind", HOSTS)
def test_a_crash_leaves_nothing_behind(kind: str) -> None:
    tried = [check_crash(HOSTS[kind], events) for events in range(0, EVENTS, STRIDE)]
    assert all(tried) or (tried[0] and kind == "idle")


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTS)
def test_a_crash_after_any_number_of_events_leaves_nothing_behind(kind: str) -> None:
    tried = [check_crash(HOSTS[kind], events) for events in range(EVENTS)]
    assert all(tried) or (any(tried) and kind == "idle")


STRUCK = ("throttle", "leak", "hang", "nan", "link-degraded", "device-reset")
"""Faults on whose way a process works in other groups, waits, or takes more than its program asked for."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", STRUCK)
@pytest.mark.parametrize("kind", ["llm", "encoder", "pipeline", "operator", "training", "collectives"])
def test_a_crash_on_impaired_hardware_leaves_nothing_behind(kind: str, fault: str) -> None:
    def struck() -> Simulation:
        model = HOSTS[kind]()
        model.advance(model.now_ns + 4 * 10**9)
        try_inject(model, fault)
        return model

    assert any([check_crash(struck, events) for events in range(0, EVENTS, 11)])
