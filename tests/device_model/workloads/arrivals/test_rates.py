"""Clients at a rate that changes: what is due when, against the integral in exact arithmetic."""

from collections.abc import Iterator
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import given

from device_model.kernel.clock import STEPPED_EPOCH_NS
from device_model.workloads.arrivals.rates import Piece, when_due

ENDLESS_NS = 10**19
rates = st.sampled_from([0.0, 1e-9]) | st.floats(1e-12, 1e-3)


@st.composite
def piecewise(draw: st.DrawFn) -> list[Piece]:
    """Some pieces with linear rates, and a last one that never ends."""
    end_ns, pieces = STEPPED_EPOCH_NS, []
    for length_ns in draw(st.lists(st.integers(1, 10**14), max_size=5)):
        end_ns += length_ns
        first, last = draw(rates), draw(rates)
        pieces.append(Piece(end_ns, first, (last - first) / length_ns))
    return [*pieces, Piece(end_ns + ENDLESS_NS, draw(st.floats(1e-9, 1e-3)), 0.0)]


def due(pieces: list[Piece], until_ns: int) -> Fraction:
    """The integral of the rate, exactly."""
    total, begin_ns = Fraction(0), STEPPED_EPOCH_NS
    for piece in pieces:
        length_ns = min(piece.end_ns, until_ns) - begin_ns
        if length_ns <= 0:
            break
        total += length_ns * (Fraction(piece.rate) + Fraction(piece.slope) * length_ns / 2)
        begin_ns = piece.end_ns
    return total


def endless(pieces: list[Piece]) -> Iterator[Piece]:
    yield from pieces


@given(piecewise(), st.floats(1e-6, 50) | st.just(0.0))
def test_what_is_due_is_the_integral_of_the_rate(pieces: list[Piece], requests: float) -> None:
    time_ns = when_due(endless(pieces), STEPPED_EPOCH_NS, requests)
    assert time_ns > STEPPED_EPOCH_NS
    # Doubles round the integral in its sixteenth digit, and the time to a ns.
    slack = Fraction(requests + float(due(pieces, pieces[-2].end_ns if len(pieces) > 1 else 0))) / 10**13
    assert due(pieces, time_ns + 1) + slack >= requests
    if time_ns > STEPPED_EPOCH_NS + 1:
        assert due(pieces, time_ns - 1) - slack <= requests


def test_a_constant_rate_is_a_division() -> None:
    assert when_due(iter([Piece(10**12, 1e-9, 0.0)]), 0, 2.5) == 2_500_000_000


def test_a_time_without_requests_is_passed_over() -> None:
    pieces = [Piece(5, 0.0, 0.0), Piece(10**6, 1e-3, 0.0)]
    assert when_due(iter(pieces), 0, 1.0) == 1005
    assert when_due(iter(pieces), 0, 0.0) == 6
