"""The layout at every size: nothing outside, nothing over another, the cores always there."""

from __future__ import annotations

from itertools import permutations

from hypothesis import example, given
from hypothesis import strategies as st

from neurontools.views.top.panels.cores import grid
from neurontools.views.top.plan import (
    BANNER,
    CORES,
    DETAILS,
    FOOTER,
    MEMORY,
    SECTIONS,
    TITLE,
    VCPU,
    VITALS,
    Shape,
    plan,
)

SHAPES = (Shape(1, 2), Shape(12, 2), Shape(16, 4), Shape(16, 8), Shape(64, 4), Shape(0, 0))
COMMON = ((80, 24), (120, 40), (200, 50))


@given(st.integers(0, 400), st.integers(0, 120), st.sampled_from(SHAPES), st.booleans())
@example(width=0, height=5, shape=SHAPES[0], banner=False)
def test_places_are_inside_and_apart(width: int, height: int, shape: Shape, banner: bool) -> None:
    places = plan(width, height, shape, banner)
    taken: set[tuple[int, int]] = set()
    for place in places.values():
        assert place.width > 0
        assert place.height > 0
        cells = {(x, y) for y in range(place.y, place.y + place.height) for x in (place.x, place.x + place.width - 1)}
        assert not cells & taken
        taken |= cells
        assert place.x >= 0
        assert place.x + place.width <= width
        assert place.y + place.height <= height
    if width and height >= 4:
        assert {TITLE, CORES} <= set(places)
        rows = {row for place in places.values() for row in range(place.y, place.y + place.height)}
        assert rows == set(range(height))


@given(st.integers(1, 400), st.integers(1, 120), st.sampled_from(SHAPES))
@example(width=120, height=28, shape=Shape(16, 4))
def test_what_stands_beside_each_other_does_not_run_together(width: int, height: int, shape: Shape) -> None:
    places = [place for place in plan(width, height, shape).values() if not place.framed]
    for left, right in permutations(places, 2):
        if left.y < right.y + right.height and right.y < left.y + left.height and left.x < right.x:
            assert left.x + left.width + 2 <= right.x


def test_common_sizes_show_every_section_of_every_host() -> None:
    for width, height in COMMON:
        for shape in SHAPES[:4]:
            places = plan(width, height, shape)
            assert set(places) == set(SECTIONS) - {BANNER, VITALS}
            assert places[DETAILS].inner[1] >= 3


def test_common_sizes_show_every_core_of_all_but_the_biggest_host_on_the_smallest() -> None:
    for width, height in COMMON:
        for shape in SHAPES[:4]:
            place = plan(width, height, shape)[CORES]
            rows = grid(shape.devices, shape.cores, place.inner[0], place.inner[1] - 1).rows
            assert rows < place.inner[1] or (width, shape) == (80, Shape(16, 8))


def test_wide_terminals_have_the_summaries_beside_the_tree() -> None:
    places = plan(200, 50, Shape(16, 4))
    assert places[DETAILS].y == places[VCPU].y
    assert places[MEMORY].y + places[MEMORY].height == places[DETAILS].y + places[DETAILS].height
    assert places[MEMORY].x == places[VCPU].x == places[DETAILS].x + places[DETAILS].width


def test_a_banner_takes_one_row_under_the_tabs() -> None:
    with_banner = plan(80, 24, Shape(12, 2), banner=True)
    assert (with_banner[BANNER].y, with_banner[BANNER].height) == (2, 1)
    assert with_banner[CORES].y == 3
    assert with_banner[FOOTER] == plan(80, 24, Shape(12, 2))[FOOTER]


@given(st.integers(0, 64), st.integers(0, 8), st.integers(1, 400), st.integers(0, 100))
def test_a_grid_holds_all_devices_in_its_width(devices: int, cores: int, width: int, height: int) -> None:
    shape = grid(devices, cores, width, height)
    assert shape.columns * shape.rows >= devices
    if shape.columns > 1:
        assert shape.columns * (5 + cores * shape.cell) + 3 * (shape.columns - 1) <= width
