"""One reading after the other: the first one too has a period, and a lost source comes back as whatever it is then."""

from __future__ import annotations

from neurontools.schema.interval import between
from neurontools.views.top.cells import FLOPS
from neurontools.views.top.reader import Reader, lean
from neurontools.views.top.state import View, contents
from tests.views.top.hosts import NS, Host


def test_the_first_reading_is_compared_with_the_past() -> None:
    host = Host(step_s=1)
    reader = Reader(host)
    first, second = reader.read(), reader.read()
    assert first.interval is not None
    assert second.interval is not None
    assert first.interval.duration_ns >= NS
    assert second.interval.duration_ns == NS
    assert host.inventories == 1


def test_without_a_past_it_takes_two_readings() -> None:
    class Forgetful(Host):
        def past(self, age_ns: int = 0) -> None:
            return None

    reader = Reader(Forgetful(step_s=1))
    assert reader.read().waiting
    assert reader.read().interval is not None


def test_a_time_that_stands_still_is_no_period() -> None:
    reader = Reader(host := Host())
    assert reader.read().interval is not None
    assert reader.read().waiting == "both readings are of the same instant: this simulated host stands still"
    host.step_s = 5
    later = reader.read().interval
    assert later is not None
    assert later.duration_ns == 5 * NS


def test_a_failure_is_a_reading_too_and_the_period_spans_it() -> None:
    reader = Reader(host := Host(step_s=1))
    reader.read()
    host.failure = "gone"
    assert reader.read().error == "gone"
    host.failure = ""
    back = reader.read()
    assert back.error == ""
    assert back.interval is not None
    assert host.inventories == 2


def test_another_host_behind_the_same_name_is_noticed_without_a_failure() -> None:
    reader = Reader(host := Host(step_s=1))
    reader.read()
    host.become("opt-30b", "trn2.48xlarge")
    other = reader.read()
    assert other.inventory is not None
    assert other.inventory.instance_type == "trn2.48xlarge"
    assert other.interval is not None
    assert len(other.interval.cores) == 64


def test_what_is_left_out_of_a_snapshot_is_shown_nowhere() -> None:
    host = Host("opt-30b")
    before, after = host.simulation.past(NS), host.snapshot()
    assert before is not None
    for view in (View(), View(mode=FLOPS, opened=frozenset({(0,), (0, 0)}))):
        whole = contents(between(before, after), host.inventory(), view)
        assert contents(between(lean(before), lean(after)), host.inventory(), view) == whole
