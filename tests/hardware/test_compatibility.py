"""Runtimes and the drivers that they need: only what was published, and a newer driver never fits worse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.compatibility import REQUIREMENTS, unmet
from neurontools.hardware.driver import version_tuple

FAMILIES = sorted({chip.family for chip in CHIPS.values()})
NUMBERS = st.tuples(st.just(2), st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
VERSIONS = NUMBERS.map(lambda parts: ".".join(map(str, parts)))


@pytest.mark.parametrize(
    ("runtime", "driver", "family", "needed"),
    [
        ("2.32.31.0", "2.26.10.0", "Inf2", "2.27"),
        ("2.32.31.0", "2.27.4.0", "Inf2", None),
        ("2.32.40.0", "2.26.10.0", "Inf2", None),
        ("2.31.24.0", "2.21.37.0", "Trn2", "2.22"),
        ("2.31.24", "2.22.2.0", "Trn2", None),
        ("2.31.24.0", "2.21.37.0", "Trn1", None),
        ("2.25.57.0", "2.20.28.0", "Trn2", None),
        ("N/A", "2.20.28.0", "Trn2", None),
        ("2.31.24.0", "", "Trn2", None),
    ],
)
def test_what_was_published_is_needed_and_nothing_else(
    runtime: str, driver: str, family: str, needed: str | None
) -> None:
    found = unmet(runtime, driver, family)
    assert (found.driver if found is not None else None) == needed


@given(VERSIONS, VERSIONS, VERSIONS, st.sampled_from(FAMILIES))
def test_what_fits_fits_a_newer_driver_too(runtime: str, one: str, other: str, family: str) -> None:
    older, newer = sorted((one, other), key=version_tuple)
    if unmet(runtime, newer, family) is not None:
        assert unmet(runtime, older, family) is not None


def test_every_entry_says_where_it_is_from_and_is_of_chips_that_there_are() -> None:
    for entry in REQUIREMENTS:
        assert entry.source.startswith("AWS docs: ")
        assert set(entry.families) <= set(FAMILIES)
        assert entry.until is None or version_tuple(entry.since) < version_tuple(entry.until)
