"""A damaged line: what can be read of it is read, and what cannot has its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from neurontools.report_format import RUNTIME_GROUPS, SYSTEM_GROUPS, ReportError, decode, report_of, salvage
from tests.exporters.test_report_captures import made

LINE = made()[1]
"""A made line with every group."""


def damaged(change: Any) -> bytes:
    document = json.loads(LINE)
    change(document)
    return json.dumps(document).encode()


def test_a_sound_line_is_what_the_decoder_reads() -> None:
    for line in made():
        read = salvage(line)
        assert not read.lost
        assert report_of(read.document) == decode(line)


def test_the_line_has_every_group() -> None:
    document = json.loads(LINE)
    assert set(document["system_data"]) == set(SYSTEM_GROUPS)
    assert set(document["neuron_runtime_data"][0]["report"]) == set(RUNTIME_GROUPS)


@pytest.mark.parametrize("group", SYSTEM_GROUPS)
@pytest.mark.parametrize("value", [3, [], "x", {"period": -1}, {"period": "1s"}, {"error": None}])
def test_a_damaged_group_of_the_node_has_the_reason_as_its_error(group: str, value: object) -> None:
    read = salvage(damaged(lambda document: document["system_data"].update({group: value})))
    sound = salvage(LINE).document
    for name in SYSTEM_GROUPS:
        if name == group:
            assert getattr(read.document.system_data, name).error.startswith("cannot be read: ")
        else:
            assert getattr(read.document.system_data, name) == getattr(sound.system_data, name)
    assert read.document.neuron_runtime_data == sound.neuron_runtime_data
    assert not read.lost


@pytest.mark.parametrize("group", RUNTIME_GROUPS)
def test_a_damaged_group_of_a_runtime_leaves_the_others(group: str) -> None:
    read = salvage(damaged(lambda document: document["neuron_runtime_data"][0]["report"].update({group: 3})))
    sound = salvage(LINE).document
    runtimes, expected = read.document.neuron_runtime_data, sound.neuron_runtime_data
    assert runtimes is not None and expected is not None
    for name in RUNTIME_GROUPS:
        if name == group:
            assert getattr(runtimes[0].report, name).error.startswith("cannot be read: ")
        else:
            assert getattr(runtimes[0].report, name) == getattr(expected[0].report, name)
    assert runtimes[1:] == expected[1:]
    assert read.document.system_data == sound.system_data


@pytest.mark.parametrize("key", ["neuron_runtime_data", "system_data", "instance_info", "neuron_hardware_info"])
def test_a_part_that_is_no_object_is_lost_with_its_reason(key: str) -> None:
    read = salvage(damaged(lambda document: document.update({key: 3})))
    assert list(read.lost) == [key]
    assert read.lost[key].startswith("cannot be read: ")
    sound = salvage(LINE).document
    others = [name for name in ("neuron_runtime_data", "system_data", "instance_info") if name != key]
    assert [getattr(read.document, name) for name in others] == [getattr(sound, name) for name in others]


def test_a_runtime_without_a_pid_is_lost_and_the_others_are_not() -> None:
    read = salvage(damaged(lambda document: document["neuron_runtime_data"].insert(0, {"pid": None})))
    assert list(read.lost) == ["neuron_runtime_data"]
    assert read.document.neuron_runtime_data == salvage(LINE).document.neuron_runtime_data


def test_a_group_that_is_null_was_not_due() -> None:
    def take_out(document: Any) -> None:
        document["system_data"]["memory_info"] = None
        document["neuron_runtime_data"][0]["report"] = None

    report = report_of(salvage(damaged(take_out)).document)
    assert set(report.system) == set(SYSTEM_GROUPS) - {"memory_info"}
    assert report.runtimes[0].groups == {}
    assert not report.runtimes[0].error


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"3", b"\xff", b"null", LINE[:-1], LINE[1:], LINE + b"}"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ReportError, match="not a document of neuron-monitor"):
        salvage(line)


@pytest.mark.parametrize("line", [b"{}", b'{"a":1}', b'{"message":"out of memory","level":"error"}'])
def test_an_object_of_another_kind_is_refused(line: bytes) -> None:
    for read in (salvage, decode):
        with pytest.raises(ReportError, match="it has none of the keys neuron_runtime_data, system_data, instance_inf"):
            read(line)


@pytest.mark.parametrize("key", ["neuron_runtime_data", "system_data", "neuron_k8s_info"])
def test_an_empty_document_is_one(key: str) -> None:
    """What a configuration without groups prints."""
    line = f'{{"{key}":{"[]" if key == "neuron_runtime_data" else "{}"}}}'.encode()
    assert not salvage(line).lost
    assert report_of(salvage(line).document) == decode(line)


@pytest.mark.parametrize("depth", [10**3, 10**6])
def test_a_deep_line_is_refused_or_read(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    try:
        assert salvage(b'{"system_data":' + nested + b"}").lost.keys() == {"system_data"}
    except ReportError as error:
        assert "recursion" in str(error)
