"""One reading after the other: the first one too has a period, and a lost source comes back as whatever it is then."""

from __future__ import annotations

from neurontools.schema.interval import between
from neurontools.schema.lean import unseen, without
from neurontools.schema.snapshot import Snapshot
from neurontools.views.top.cells import ENGINES, FLOPS
from neurontools.views.top.panels import cores
from neurontools.views.top.reader import Reader, Reading, lean
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


def test_engines_are_unknown_where_they_were_not_asked_for_and_that_is_said() -> None:
    class Narrowed(Host):
        kind = Snapshot

        def narrow(self, kind: type[Snapshot]) -> None:
            self.kind = kind

        def snapshot(self) -> Snapshot:
            return without(super().snapshot(), unseen(self.kind))

    def said(reading: Reading) -> str:
        assert reading.interval is not None
        assert reading.inventory is not None
        block = cores.render(contents(reading.interval, reading.inventory, View(mode=ENGINES)).cores, 100, 30)
        return block.why

    reader = Reader(Narrowed(step_s=1))
    words = "read only while engines are shown"
    assert [said(reader.read(registers)) for registers in (False, True, True, False)] == [words, words, "", words]
