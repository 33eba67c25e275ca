"""A process that is started again and again has the series that it had, and none while it is away."""

import pytest

from device_model.simulation import Simulation
from neurontools.exporters.prometheus import FAMILIES, View, render
from neurontools.schema.interval import between
from tests.device_model.hosts import CLOSED, forward, host, server

RESTARTS = 100
AWAY_S, BACK_S = 0.5, 5.0


def series(model: Simulation, seconds: float) -> set[str]:
    """The series of the page of an interval of that length from now on."""
    before = model.snapshot()
    page = render(View.of(between(before, forward(model, seconds).snapshot()), model.inventory()), FAMILIES)
    return {line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")}


@pytest.mark.slow
def test_a_hundred_restarts_leave_the_series_as_they_were() -> None:
    model = forward(host(server("chat", restart="1s", arrivals=CLOSED), instance="inf2.xlarge"), 130)
    first, pids = series(model, 1), set[int]()
    assert any('runtime_tag="chat"' in name for name in first)
    for _ in range(RESTARTS):
        pids.update(process.pid for process in model.snapshot().processes or ())
        model.inject("crash", {"process": "chat"}, {}, None)
        forward(model, AWAY_S / 2)
        assert not any("runtime_tag" in name for name in series(model, AWAY_S / 2))
        forward(model, BACK_S)
        assert series(model, 1) == first
    assert len(pids) == RESTARTS
