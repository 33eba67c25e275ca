"""The page of AWS's script: everything that a captured page has, for lines captured on the same host."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurontools.commands.feed import Lost, Read, piped
from neurontools.exporters.prometheus.compat import CompatPage, compat_view
from neurontools.exporters.report import encode
from neurontools.hardware.instances import INSTANCES
from tests.conftest import Golden
from tests.exporters.nodes import interval_of, inventory_for, report_of
from tests.sources.aws.feeds import changed

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
LINES = "neuron-monitor.inf1.xlarge.idle-then-busy.jsonl"
PAGE = "prometheus.inf1.xlarge.busy.2023-02.txt"
OF_ITS_LIBRARY = ("python_", "process_")
NOW_S = 1675735807.0


@contextmanager
def reads_of(path: Path) -> Iterator[list[Read]]:
    descriptor = os.open(path, os.O_RDONLY)
    said: list[str] = []
    yield [item for item in piped(descriptor, 5, said.append, said.append) if not isinstance(item, Lost)]
    os.close(descriptor)
    assert said == []


def series(text: str) -> Series:
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if match is not None and not line.startswith(OF_ITS_LIBRARY):
            found[match[1], tuple(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))] = float(match[3])
    return found


def shapes(found: Series) -> set[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Names, labels in their order, and the values of those that tell series of one host apart."""
    own = {"error_type", "status_type", "percentile", "memory_location", "usage_type", "runtime_tag", "neuroncore"}
    return {
        (name, tuple(key for key, _ in labels), tuple(value for key, value in labels if key in own))
        for name, labels in found
    }


def comments(text: str) -> set[str]:
    lines = {line for line in text.splitlines() if line.startswith("# ")}
    return {line for line in lines if not line.split()[2].startswith(OF_ITS_LIBRARY)}


def test_all_that_the_captured_page_has(captures: Path) -> None:
    page = CompatPage()
    with reads_of(captures / LINES) as reads:
        text = [page.render(compat_view(read.interval, read.inventory), NOW_S) for read in reads][-1]
    captured = (captures / PAGE).read_text()
    assert shapes(series(captured)) - shapes(series(text)) == set()
    assert comments(captured) - comments(text) == set()


def test_values_are_those_of_the_line(captures: Path) -> None:
    with reads_of(captures / LINES) as reads:
        (busy,) = [read for read in reads if read.interval.processes]
        found = series(CompatPage().render(compat_view(busy.interval, busy.inventory), NOW_S))
    by_name = {
        (name, *[v for k, v in labels if k in ("percentile", "status_type")]): n for (name, labels), n in found.items()
    }
    assert by_name["execution_latency_seconds", "p50"] == 0.003278970718383789
    assert by_name["execution_latency_seconds", "p100"] == 0.0033423900604248047
    assert by_name["execution_status_total", "completed"] == 14
    assert by_name["execution_status_created", "completed"] == NOW_S


def test_counters_add_up_the_tallies_and_keep_their_beginning(tmp_path: Path) -> None:
    instance = INSTANCES["trn1.2xlarge"]
    line = encode(report_of(inventory_for(instance), interval_of(instance)))
    path = tmp_path / "lines"
    path.write_bytes(b"\n".join([line] * 3) + b"\n")
    page = CompatPage()
    with reads_of(path) as reads:
        pages = [series(page.render(compat_view(read.interval, read.inventory), i)) for i, read in enumerate(reads)]
    own = {("status_type", "completed"), ("runtime_tag", "tag-4000")}
    completed = [
        number
        for found in pages
        for (name, labels), number in found.items()
        if name == "execution_status_total" and own <= set(labels)
    ]
    created = {n for found in pages for (name, _), n in found.items() if name == "execution_status_created"}
    assert completed == [completed[0] * i for i in (1, 2, 3)] and completed[0] > 0
    assert created == {0.0}


def test_runtimes_with_one_tag_are_told_apart(tmp_path: Path) -> None:
    """As when NEURON_PROCESS_TAG is set for all workers of a job; two series of one name are none to Prometheus."""
    instance = INSTANCES["trn1.2xlarge"]
    line = encode(report_of(inventory_for(instance), interval_of(instance)))

    def double(document: Any) -> None:
        (first, *_) = document["neuron_runtime_data"]
        document["neuron_runtime_data"] = [first | {"neuron_runtime_tag": "job", "pid": pid} for pid in (7, 5)]

    path = tmp_path / "lines"
    path.write_bytes(changed(line, double) + b"\n")
    with reads_of(path) as reads:
        (read,) = reads
        text = CompatPage().render(compat_view(read.interval, read.inventory), NOW_S)
    names = [each.rpartition(" ")[0] for each in text.splitlines() if not each.startswith("#")]
    assert len(names) == len(set(names))
    assert {dict(labels).get("runtime_tag") for _, labels in series(text)} == {None, "job", "job#2"}
    completed = {
        number
        for (name, labels), number in series(text).items()
        if ("status_type", "completed") in labels and name == "execution_status_total"
    }
    assert len(completed) == 1


def test_the_page(golden: Golden) -> None:
    instance = INSTANCES["trn1.2xlarge"]
    view = compat_view(interval_of(instance), inventory_for(instance))
    golden("prometheus/compat.txt", CompatPage().render(view, NOW_S))


def test_a_host_of_an_ultraserver_has_its_label_on_every_series(tmp_path: Path) -> None:
    instance = INSTANCES["trn2u.48xlarge"]
    line = encode(report_of(inventory_for(instance), interval_of(instance)))
    assert b"ultraserver_id" not in line
    path = tmp_path / "lines"
    path.write_bytes(changed(line, lambda told: told["instance_info"].update(ultraserver_id="us-1")) + b"\n")
    with reads_of(path) as reads:
        (read,) = reads
        found = series(CompatPage().render(compat_view(read.interval, read.inventory), NOW_S))
    assert found and all(("ultraserver_id", "us-1") in labels for _, labels in found)
    assert all(sorted(dict(labels)) == list(dict(labels)) for _, labels in found)
    again = json.loads(encode(report_of(read.inventory, read.interval)))["instance_info"]
    assert (again["ultraserver_id"], list(again)[-2:]) == ("us-1", ["ultraserver_id", "error"])
