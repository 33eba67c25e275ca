"""The event queue: time, class, entity, age decide, and nothing else."""

import hypothesis.strategies as st
from hypothesis import given

from device_model.kernel.queue import EventQueue, Order

events = st.tuples(st.integers(0, 3), st.sampled_from(Order), st.sampled_from("abc"))


@given(st.lists(st.tuples(events, st.booleans()), max_size=30))
def test_events_happen_in_order_and_cancelled_ones_do_not(wanted: list[tuple[tuple[int, Order, str], bool]]) -> None:
    queue = EventQueue()
    happened: list[tuple[int, Order, str, int]] = []
    expected = []
    for number, ((time_ns, order, entity), cancelled) in enumerate(wanted):

        def action(at: int, order: Order = order, entity: str = entity, number: int = number) -> None:
            happened.append((at, order, entity, number))

        ticket = queue.schedule(time_ns, order, entity, action)
        if cancelled:
            ticket.cancel()
        else:
            expected.append((time_ns, order, entity, number))
    while queue.next_time() is not None:
        queue.run_next()
    assert happened == sorted(expected)


def test_an_event_may_bring_about_another_of_the_same_instant() -> None:
    queue = EventQueue()
    happened: list[str] = []

    def arrival(time_ns: int) -> None:
        happened.append("arrival")
        queue.schedule(time_ns, Order.LAUNCH, "a", lambda _: happened.append("launch"))

    queue.schedule(5, Order.ARRIVAL, "b", lambda _: happened.append("another arrival"))
    queue.schedule(5, Order.ARRIVAL, "a", arrival)
    while queue.next_time() == 5:
        queue.run_next()
    assert happened == ["arrival", "another arrival", "launch"]
    assert queue.next_time() is None


def test_cancelling_what_has_happened_is_harmless() -> None:
    queue = EventQueue()
    happened: list[int] = []
    ticket = queue.schedule(1, Order.FAULT, "a", happened.append)
    queue.run_next()
    ticket.cancel()
    assert (happened, queue.next_time()) == ([1], None)
