"""What each fault leaves in the kernel's and the runtime's log, word for word."""

from collections.abc import Sequence

import pytest

from device_model.faults.table import FAULTS
from neurontools.hardware.instances import chip_of, lookup
from neurontools.schema.events import Event
from tests.conftest import Golden
from tests.device_model.faults.programs import PLACES
from tests.device_model.hosts import forward, host, server

LONGEST, MOST = 220, 10
"""Of a line and of a fault's lines; the tables of memory have longer ones, which are test_log.py's."""

PARAMETERS: dict[str, dict[str, float]] = {
    "leak": {"bytes": 2e10},
    "bad-input": {"share": 1.0},
    "device-reset": {"seconds": 2.0},
}


@pytest.mark.parametrize(("instance", "degree"), [("inf2.48xlarge", 4), ("trn2.48xlarge", 8)])
def test_what_is_logged(instance: str, degree: int, golden: Golden) -> None:
    told = []
    for name, fault in FAULTS.items():
        if chip_of(lookup(instance)).name not in fault.chips:
            continue
        process = server("a", tp=degree, arrivals={"kind": "closed", "users": 2})
        model = forward(host(process, instance=instance), 3)
        seen = len(model.events(0).events)
        model.inject(name, PLACES[fault.target], PARAMETERS.get(name, {}))
        told.append("\n".join([name, *lines_of(forward(model, 35).events(seen).events), ""]))
    golden(f"faults/logs-{instance}.txt", "\n".join(told))


def lines_of(events: Sequence[Event]) -> list[str]:
    """The first events, and how many follow."""
    lines = [f"  {each.kind}{'' if each.core is None else f' {each.core}'}: {each.text[:LONGEST]}" for each in events]
    return [*lines[:MOST], *([f"  and {len(lines) - MOST} more"] if len(lines) > MOST else [])]
