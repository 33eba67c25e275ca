"""Paths to metrics: all that an interval holds can be named and read, and every wrong path says what is known there."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_model.metric_path import IDENTITIES, ROOTS, Absent, metric_path, shown
from neurontools.schema.interval import Interval, between, totals
from tests.conftest import Golden
from tests.device_model.hosts import busy_host, forward, host

WRONG = (
    "",
    "cores",
    "cores[7]",
    "cores[x].flops",
    "cores[-1].flops",
    "cores.flops",
    "cores[7]flops",
    "cores[7].flops.x",
    "cores[7].flops[0]",
    "cores[7].memory",
    "core[7].flops",
    "node",
    "node.utilisation_percent",
    "devices[0].ecc",
    "devices[0].ecc.mem_ecc",
    "devices[0].banks",
    "devices[0].power_status.x",
    "host[0].average",
    "host.average",
    "processes[a].memory",
    "processes[a].memory[x]",
    "processes[a].memory[0]",
    "processes[a].workload.requests.complete",
    "processes[a].latency_total.p98",
    "events",
)


@pytest.fixture(scope="module")
def interval() -> Interval:
    """Five seconds of a busy host, on devices with links and banks."""
    model = forward(busy_host(), 12)
    earlier = model.snapshot()
    return between(earlier, forward(model, 5).snapshot())


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value that a path can lead to, found by walking, with its path."""
    if isinstance(value, bool | int | float | str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]")
    elif isinstance(value, tuple) and value and type(value[0]) in IDENTITIES:
        for record in value:
            yield from leaves(record, f"{path}[{getattr(record, IDENTITIES[type(record)])}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name), f"{path}.{name}")


def all_leaves(interval: Interval) -> dict[str, Any]:
    roots = {name: totals(interval) if name == "node" else getattr(interval, name) for name in ROOTS}
    return {path: value for name, root in roots.items() for path, value in leaves(root, name)}


def test_everything_in_an_interval_can_be_named_and_read(interval: Interval) -> None:
    found = all_leaves(interval)
    beginnings = {re.split(r"[.\[]", path)[0] for path in found}
    assert beginnings == set(ROOTS)
    assert len(found) > 2000
    for text, value in found.items():
        path = metric_path(text)
        assert path.read(interval) == value, text
        assert type(value) in path.kinds or (type(value) is int and float in path.kinds), text


def test_a_path_knows_which_record_it_is_about() -> None:
    assert metric_path("cores[7].flops").chosen == ("cores", 7)
    assert metric_path("processes[my.app-0].pid").chosen == ("processes", "my.app-0")
    assert metric_path("node.running").chosen is None
    assert metric_path("host.average.user").chosen is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cores[24].flops", "there is no cores[24]"),
        ("processes[z].pid", "there is no processes[z]"),
        ("devices[0].links[7].up", "there is no devices[0].links[7]"),
        ("devices[0].health.hw_error_event", "devices[0].health is not known"),
        ("devices[0].power_avg_percent", "devices[0].power_avg_percent is not known"),
        ("processes[a].memory[5].tensors", "there is no processes[a].memory[5]"),
    ],
)
def test_what_is_not_there_says_where_the_path_ends(interval: Interval, text: str, reason: str) -> None:
    with pytest.raises(Absent) as caught:
        metric_path(text).read(interval)
    assert str(caught.value) == reason


def test_of_processes_with_one_tag_the_last_is_read() -> None:
    """A process that was started again has its predecessor's tag; both are in no interval, but a recording may lag."""
    model = forward(host(), 1)
    whole = between(model.snapshot(), forward(model, 1).snapshot())
    twins = [{"pid": pid, "started_ns": pid, "tag": "a"} for pid in (1, 2)]
    document = msgspec.to_builtins(whole) | {"processes": twins}
    assert metric_path("processes[a].pid").read(msgspec.convert(document, Interval)) == 2


def test_every_wrong_path_says_what_is_known_there(golden: Golden) -> None:
    told = []
    for text in WRONG:
        with pytest.raises(ValueError) as caught:
            metric_path(text)
        told.append(f"{text}\n  {caught.value}\n")
    golden("neuron-model/metric-paths.txt", "\n".join(told))


words = st.sampled_from(
    ["cores", "node", "devices", "processes", "flops", "memory", "banks", "[0]", "[a]", ".", "x", "]"]
)


@given(st.lists(words, max_size=6).map("".join) | st.text(max_size=20))
def test_any_text_is_a_path_or_told(text: str) -> None:
    try:
        path = metric_path(text)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert path.steps[-1].text == path.text == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), ("READY", "'READY'"), (1234567, "1,234,567"), (0.12345, "0.1235"), (12345678.9, "12,345,679")],
)
def test_values_are_shown_to_four_digits(value: float | str | bool, text: str) -> None:
    assert shown(value) == text
