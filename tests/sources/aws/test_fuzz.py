"""Any bytes, any JSON, and captured lines with anything in them: never a traceback, and what is sound stays right."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurontools.exporters.report import encode as encode_line
from neurontools.hardware.instances import INSTANCES
from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS
from neurontools.schema.document import decode, encode
from neurontools.schema.interval import NoInterval, between
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.aws.stream import Stream
from tests.exporters.nodes import interval_of, inventory_for, report_of
from tests.sources.aws.feeds import EPOCH_NS, printed, stream

TRN2 = INSTANCES["trn2.3xlarge"]
SOUND = (
    *printed("two-tenants", "inf2.24xlarge")[:2],
    encode_line(report_of(inventory_for(TRN2), interval_of(TRN2))),
)
MUTATIONS_AT_ONCE = 200
"""Inputs of one example where only their number counts; five thousand examples make a million."""

WILD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, -0.5, 1e308, -1e308, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**400),
    *("", "x", "0", "-1", "\u0000", "\ud800", "é" * 100, "x" * 100_000, [], {}, [[]], [None], {"": None}),
    *({"0": {}}, {"-1": {}}, {"x": 1}, {"9999": {}}, {"1": 1}, [{"pid": 1}], [{"pid": 1, "report": {}}] * 3),
)

READABLE = tuple(value for value in WILD if value != "\ud800")
"""Half a character makes a line no JSON at all."""

GROUP_FIELDS = {
    "execution_stats": {"executions", "errors", "latency_total", "latency_device"},
    "memory_used": {"memory", "host_memory", "models"},
    "neuron_runtime_vcpu_usage": {"vcpu_user_ns", "vcpu_system_ns"},
    "neuroncore_counters": {"cores"},
}
"""Fields of a process that a group tells."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(
    (
        *(*RUNTIME_GROUPS, *SYSTEM_GROUPS, "neuron_runtime_data", "system_data", "instance_info"),
        *("neuron_hardware_info", "neuron_device_count", "neuroncore_per_device_count", "neuroncores_in_use"),
        *("pid", "report", "period", "error"),
    )
)
documents = st.dictionaries(keys, st.dictionaries(keys, json_values, max_size=3) | json_values, max_size=4)


def check_whole(fed: Stream) -> None:
    """Everything that a reader may ask for is there and can be written down, read again and compared."""
    fed.inventory()
    fed.events(0)
    now, past = fed.snapshot(), fed.past(0)
    assert decode(Snapshot, encode(now)) == now
    if past is not None:
        try:
            between(past, now)
        except NoInterval:
            assert past.head.time_ns == now.head.time_ns


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything inside a document."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    *above, last = path
    for key in above:
        document = document[key]
    if value is Ellipsis:
        del document[last]
    else:
        document[last] = value


class Mutator:
    """Changes the lines it is made of, each time at another place."""

    def __init__(self, lines: tuple[bytes, ...], chance: random.Random) -> None:
        self._documents = [json.loads(line) for line in lines]
        self._places = [list(places(document)) for document in self._documents]
        self._chance = chance

    def line(self) -> bytes:
        chance = self._chance
        number = chance.randrange(len(self._documents))
        document = copy.deepcopy(self._documents[number])
        for _ in range(chance.choice((1, 1, 2, 5))):
            path = chance.choice(self._places[number])
            try:
                put(document, path, copy.deepcopy(chance.choice((*WILD, ...))))
            except (KeyError, IndexError, TypeError):
                continue
        text = json.dumps(document).encode()
        return self._scratched(text) if chance.random() < 0.3 else text

    def _scratched(self, text: bytes) -> bytes:
        scratched = bytearray(text)
        for _ in range(self._chance.choice((1, 3, 50))):
            scratched[self._chance.randrange(len(scratched))] = self._chance.randrange(256)
        return bytes(scratched[: self._chance.choice((len(scratched), self._chance.randrange(len(scratched))))])


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes(lines: list[bytes]) -> None:
    fed = stream()
    fed.add(lines, EPOCH_NS)
    check_whole(fed)


@given(st.lists(documents | json_values, max_size=4), st.booleans())
def test_any_json(values: list[Any], live: bool) -> None:
    fed = stream(live)
    for second, value in enumerate(values):
        fed.add([json.dumps(value).encode()], EPOCH_NS + second * 10**9)
        check_whole(fed)


@given(st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_changed_lines(chance: random.Random) -> None:
    mutator = Mutator(SOUND, chance)
    fed = stream(live=chance.random() < 0.5)
    for second in range(3):
        fed.add([mutator.line()], EPOCH_NS + second * 5 * 10**9)
        check_whole(fed)


@pytest.mark.nightly
@given(st.integers(0, 2**64))
@settings(suppress_health_check=list(HealthCheck))
def test_a_million_changed_lines(seed: int) -> None:
    mutator = Mutator(SOUND[2:], random.Random(seed))
    fed = stream()
    for number in range(MUTATIONS_AT_ONCE):
        fed.add([mutator.line()], EPOCH_NS)
        if number % 10 == 0:
            check_whole(fed)
    check_whole(fed)


@given(st.integers(0, 1), st.sampled_from(RUNTIME_GROUPS), st.data())
def test_a_damaged_group_leaves_everything_else_right(runtime: int, group: str, data: st.DataObject) -> None:
    document = json.loads(SOUND[1])
    inside = list(places(document["neuron_runtime_data"][runtime]["report"][group]))
    path = ("neuron_runtime_data", runtime, "report", group, *data.draw(st.sampled_from([(), *inside])))
    put(document, path, data.draw(st.sampled_from(READABLE)))
    sound, fed = stream(), stream()
    sound.add(SOUND[:2], EPOCH_NS)
    fed.add([SOUND[0], json.dumps(document).encode()], EPOCH_NS)
    found, expected = fed.snapshot(), sound.snapshot()
    assert (found.head.time_ns, found.host) == (expected.head.time_ns, expected.host)
    for number, (one, other) in enumerate(zip(found.processes or (), expected.processes or (), strict=True)):
        for field in one.__struct_fields__:
            if number != runtime or field not in GROUP_FIELDS[group]:
                assert getattr(one, field) == getattr(other, field), field
    own = {core for each in (found, expected) for core in (each.processes or ())[runtime].cores}
    for device, before in zip(found.devices, expected.devices, strict=True):
        assert device.ecc == before.ecc
        for core, old in zip(device.cores, before.cores, strict=True):
            if core.core not in own or group in ("execution_stats", "neuron_runtime_vcpu_usage"):
                assert core == old


@given(st.sampled_from(SYSTEM_GROUPS), st.data())
def test_a_damaged_group_of_the_node_leaves_its_processes_right(group: str, data: st.DataObject) -> None:
    document = json.loads(SOUND[1])
    inside = list(places(document["system_data"][group]))
    put(
        document,
        ("system_data", group, *data.draw(st.sampled_from([(), *inside]))),
        data.draw(st.sampled_from(READABLE)),
    )
    sound, fed = stream(), stream()
    sound.add(SOUND[:2], EPOCH_NS)
    fed.add([SOUND[0], json.dumps(document).encode()], EPOCH_NS)
    found, expected = fed.snapshot(), sound.snapshot()
    assert found.head.time_ns == expected.head.time_ns
    unlike = {"vcpu_user_ns", "vcpu_system_ns"} if group == "vcpu_usage" else set()
    for one, other in zip(found.processes or (), expected.processes or (), strict=True):
        for field in one.__struct_fields__:
            assert field in unlike or getattr(one, field) == getattr(other, field)
    assert [device.cores for device in found.devices] == [device.cores for device in expected.devices]


def test_changed_captures(captures: Path) -> None:
    lines = [line for path in sorted(captures.glob("neuron-monitor.*")) for line in path.read_bytes().splitlines()]
    assert len(lines) == 4
    mutator = Mutator(tuple(lines), random.Random(11))
    for _ in range(30):
        fed = stream()
        fed.add([mutator.line(), mutator.line()], EPOCH_NS)
        check_whole(fed)
