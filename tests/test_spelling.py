"""Names that were meant: any slip of a letter finds its way back, and what is like nothing finds nothing."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from neurontools.spelling import did_you_mean, nearest

KNOWN = ("straggler", "link-degraded", "Llama-2-13b", "inf2.48xlarge")


@given(st.sampled_from(KNOWN), st.data())
def test_a_slip_of_one_letter_finds_its_way_back(name: str, data: st.DataObject) -> None:
    spot = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(["", "x", "é", name[spot].swapcase()]))
    wrong = name[:spot] + letter + name[spot + data.draw(st.integers(0, 1)) :]
    assert nearest(wrong, KNOWN) == name
    assert did_you_mean(wrong, KNOWN) == f" (did you mean {name!r}?)"


@given(st.sampled_from(KNOWN), st.booleans())
def test_case_does_not_matter(name: str, upper: bool) -> None:
    assert nearest(name.upper() if upper else name.casefold(), KNOWN, 1) == name


@pytest.mark.parametrize("name", ["", "zzz", "0"])
def test_what_is_like_nothing_finds_nothing_unless_it_must(name: str) -> None:
    assert nearest(name, KNOWN) is None
    assert did_you_mean(name, KNOWN) == ""
    assert nearest(name, KNOWN, 0) in KNOWN
    assert nearest(name, (), 0) is None


@given(st.text(max_size=12), st.floats(0, 1), st.floats(0, 1))
def test_who_asks_for_more_likeness_finds_the_same_or_nothing(name: str, one: float, other: float) -> None:
    loose, strict = sorted((one, other))
    assert nearest(name, KNOWN, strict) in (nearest(name, KNOWN, loose), None)
