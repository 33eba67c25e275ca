"""Whatever goes wrong and when, on every kind of program: sums agree, counters grow, and no request gets lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis.strategies as st
import pytest
from hypothesis import given

from device_model.faults.table import FAULTS
from device_model.kernel.queue import Action, Order, Ticket
from device_model.simulation import NS, Simulation
from tests.device_model.faults.programs import HOSTS, try_inject
from tests.device_model.hosts import costly, forward
from tests.device_model.invariants import check_grown, check_sums

SECONDS = st.floats(0.0, 12.0)
DRIVER = ("driver-missing", "driver-old", "sysfs-unreadable")
"""Through these, readings are not whole."""
MISHAPS = st.lists(
    st.tuples(
        SECONDS,
        st.sampled_from(sorted(FAULTS.keys() - set(DRIVER))),
        st.none() | st.integers(1, 5 * NS),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@contextmanager
def nothing_in_the_past(model: Simulation) -> Iterator[None]:
    """Inside, a test fails that lets something be planned for a time that is over."""
    queue = model._world.queue
    schedule = queue.schedule

    def checked(time_ns: int, order: Order, entity: str, action: Action) -> Ticket:
        assert time_ns >= model.now_ns, entity
        return schedule(time_ns, order, entity, action)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "schedule", checked)
        yield


@pytest.mark.parametrize("kind", HOSTS)
@given(mishaps=MISHAPS)
@costly
def test_nothing_is_lost_whatever_fails(kind: str, mishaps: list[tuple[float, str, int | None, bool]]) -> None:
    model = forward(HOSTS[kind](), 4)
    with nothing_in_the_past(model):
        for seconds, name, for_ns, heals in mishaps:
            try_inject(model, name, for_ns)
            for part in (0.3, 0.7):
                before = model.snapshot()
                forward(model, seconds * part)
                check_sums(model)
                check_grown(before, model.snapshot())
            if heals:
                model.heal("all")


@pytest.mark.parametrize("kind", HOSTS)
def test_slow_hardware_keeps_events_in_order(kind: str) -> None:
    model = forward(HOSTS[kind](), 4)
    with nothing_in_the_past(model):
        try_inject(model, "throttle")
        forward(model, 8)
        model.heal("all")
        check_sums(forward(model, 2))
