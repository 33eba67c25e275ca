"""The search for constants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.workloads.calibration.search import minimise


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=4))
def test_the_search_finds_the_bottom_of_a_bowl(bottom: list[float]) -> None:
    found = minimise(lambda point: sum((x - b) ** 2 for x, b in zip(point, bottom, strict=True)), [0.0] * len(bottom))
    assert found == pytest.approx(bottom, abs=1e-3)
