"""OpenMetrics over time: what each instant shows, in one text whose series and families stand together."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurontools.exporters.prometheus import FAMILIES, History, View
from neurontools.exporters.prometheus.text import render
from neurontools.recording import Frame
from neurontools.schema.interval import NoInterval, between
from neurontools.schema.snapshot import Snapshot
from tests.device_model.hosts import costly, host, server
from tests.exporters.prometheus.shown import parsed, parsed_openmetrics
from tests.recording.recorded import frames_of, inventory, troubled_frames
from tests.schema.strategies import series


def views_of(frames: list[Frame]) -> list[View]:
    """The intervals between frames, as far as there are any."""
    views = []
    for before, now in pairwise(frames):
        try:
            views.append(View.of(between(before.snapshot, now.snapshot), now.inventory))
        except NoInterval:
            continue
    return views


def history(views: list[View], kept_bytes: int = 1 << 20) -> str:
    with History(FAMILIES, kept_bytes) as collected:
        for view in views:
            assert collected.add(view)
        return "".join(collected.text())


def seconds(view: View) -> float:
    return view.interval.head.time_ns // 10**6 / 1000


@given(series(3), st.sampled_from([0, 2000, 1 << 20]))
@costly
def test_a_history_is_what_each_instant_shows(taken: tuple[Snapshot, ...], kept_bytes: int) -> None:
    frames = [Frame(snapshot, inventory(1, "x")) for snapshot in taken]
    views = views_of(frames)
    expected = {
        (sample, seconds(view)): value for view in views for sample, value in parsed(render(view, FAMILIES)).items()
    }
    assert parsed_openmetrics(history(views, kept_bytes)) == expected


def test_the_history_of_a_run_with_faults() -> None:
    views = views_of(troubled_frames(40)[::4])
    text = history(views)
    expected = {
        (sample, seconds(view)): value for view in views for sample, value in parsed(render(view, FAMILIES)).items()
    }
    assert parsed_openmetrics(text) == expected
    assert len({time for _, time in expected}) == len(views)


def test_what_goes_to_the_disk_comes_back() -> None:
    """New series come and others end while parts of the time are on the disk already."""
    views = views_of(frames_of(host(server("a", stop="6s"), server("b", start="3s"), instance="inf2.24xlarge"), 12))
    assert history(views, 0) == history(views, 100_000) == history(views)


def test_an_instant_that_is_not_later_is_left_out() -> None:
    views = views_of(frames_of(host(server("a"), instance="inf2.xlarge"), 4, 2_000_000))
    with History(FAMILIES) as collected:
        assert [collected.add(view) for view in [*views, views[0]]] == [True, True, True, False]
    close = views_of(frames_of(host(server("a"), instance="inf2.xlarge"), 4, 300_000))
    with History(FAMILIES) as collected:
        assert [collected.add(view) for view in close] == [True, False, False]


def test_no_readings_are_a_text_without_families() -> None:
    assert history([]) == "# EOF\n"


def test_a_history_is_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    views = views_of(troubled_frames(3))
    with History(FAMILIES, 0) as collected:
        for view in views:
            collected.add(view)
        file = collected._file
        assert file is not None
    assert file.closed
