"""Reports from readings: who is listed with which groups, also when processes come and go."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from neurontools.commands.monitor_collect import Collector
from neurontools.commands.monitor_plan import EXTENDED, SYSTEM, Key, Plan, Runtimes, default_plan
from neurontools.exporters.report import encode, needed_kind
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Process, Snapshot
from neurontools.schema.source import SourceError
from tests.sources.scripted import Scripted

MEMORY: Key = (0, "memory_used")


class Changing(Scripted):
    """A host whose processes a test changes."""

    processes: tuple[Process, ...] | None = None
    devices = True

    def snapshot(self) -> Snapshot:
        snapshot = super().snapshot()
        return snapshot if self.processes is None else replace(snapshot, processes=self.processes)

    def inventory(self) -> Inventory:
        inventory = super().inventory()
        return inventory if self.devices else inventory._replace(devices=())


def collector_of(source: Scripted, plan: Plan | None = None) -> Collector:
    return Collector(source, plan or default_plan(), lambda level, text: None)


def collected(collector: Collector, *keys: Key) -> Any:
    return json.loads(encode(collector.collect(keys)))


def test_a_process_that_comes_later_has_no_longer_period() -> None:
    source = Changing([("a", second) for second in range(10, 14)], {"a": 9})
    source.processes = ()
    collector = collector_of(source)
    assert [collected(collector, MEMORY)["neuron_runtime_data"] for _ in range(2)] == [[], []]
    source.processes = None
    (runtime,) = collected(collector, MEMORY)["neuron_runtime_data"]
    assert runtime["report"]["memory_used"]["period"] == 1


def test_the_first_entry_that_names_a_group_holds() -> None:
    plan = Plan(
        (Runtimes({"memory_used": 1}, re.compile("^tag-")), Runtimes({"memory_used": 2, "execution_stats": 2})), {}
    )
    collector = collector_of(Scripted([("a", second) for second in range(10, 14)], {"a": 9}), plan)
    reports = [collected(collector, key)["neuron_runtime_data"] for key in (MEMORY, (1, "memory_used"))]
    assert list(reports[0][0]["report"]) == ["memory_used"]
    assert reports[1] == []
    (runtime,) = collected(collector, (1, "execution_stats"))["neuron_runtime_data"]
    assert list(runtime["report"]) == ["execution_stats"]


def test_nothing_due_is_still_a_document() -> None:
    document = collected(collector_of(Scripted([("a", 10), ("a", 11)])), (EXTENDED, ""))
    assert document["neuron_runtime_data"] == [] and document["system_data"] == {}
    assert document["instance_info"]["instance_type"] == "trn1.2xlarge"


def test_a_loss_is_told_and_a_return_too() -> None:
    said: list[tuple[int, str]] = []
    source = Scripted([("a", 10), None, None, ("a", 13)], {"a": 9})
    collector = Collector(source, default_plan(), lambda level, text: said.append((level, text)))
    key: Key = (SYSTEM, "memory_info")
    errors = [collected(collector, key)["system_data"]["memory_info"]["error"] for _ in range(3)]
    assert errors == ["away", "away", ""]
    assert [level for level, _ in said] == [1, 2, 1]


def test_our_own_key_says_why_it_is_empty() -> None:
    plan = default_plan()._replace(extended=True)
    document = collected(collector_of(Scripted([("a", 10), ("a", 10)]), plan), (EXTENDED, ""))
    assert document["neurontools"] == {
        "error": "both readings are of the same instant: this simulated host stands still"
    }


@pytest.mark.parametrize("extended", [False, True])
def test_a_source_is_spared_what_the_document_does_not_show(extended: bool) -> None:
    kinds: list[type[Snapshot]] = []

    class Narrowing(Scripted):
        def narrow(self, kind: type[Snapshot]) -> None:
            kinds.append(kind)

    collector_of(Narrowing([("a", 10)]), default_plan()._replace(extended=extended))
    assert kinds == ([] if extended else [needed_kind()])


def test_it_needs_a_first_reading_and_devices() -> None:
    with pytest.raises(SourceError, match="away"):
        collector_of(Scripted([None]))
    bare = Changing([("a", 10)])
    bare.devices = False
    with pytest.raises(SourceError, match="failed to discover"):
        collector_of(bare)
