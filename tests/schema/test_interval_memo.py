"""A memo makes a value again exactly when what it is made of is another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neurontools.schema.interval_memo import Memo

_PARTS = st.dictionaries(st.integers(0, 2), st.integers(0, 2), max_size=2)


@given(st.lists(st.tuples(st.integers(0, 3), _PARTS), max_size=20))
def test_a_memo_answers_as_the_function_itself(calls: list[tuple[int, dict[int, int]]]) -> None:
    memo = Memo(lambda parts: dict(parts), limit=2)
    assert [memo(key, parts) for key, parts in calls] == [parts for _, parts in calls]


def test_the_same_parts_make_no_new_value() -> None:
    memo = Memo(lambda parts, size: {key: count * size for key, count in parts.items()})
    first = memo("a", {"x": 1}, 2)
    assert memo("a", {"x": 1}, 2) is first
    assert memo("b", {"x": 1}, 2) is not first
    assert memo("a", {"x": 1}, 3) == {"x": 3}
    assert memo("a", {"x": 4}, 3) == {"x": 12}


def test_the_number_of_values_is_bounded() -> None:
    memo = Memo(lambda number: [number], limit=3)
    values = [memo(number, number) for number in range(10)]
    assert memo(9, 9) is values[9]
    assert memo(0, 0) is not values[0]
