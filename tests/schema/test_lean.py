"""What nobody looks at need not be sent: what arrives is the same to who does not look at it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from neurontools.exporters.report.needs import needed_kind
from neurontools.schema.document import decode, encode
from neurontools.schema.lean import to_unseen, unseen, without
from neurontools.schema.snapshot import Snapshot
from neurontools.views.top.reader import lean_kind
from tests.schema.strategies import snapshots

KINDS = {"neuron-top": lean_kind(), "with registers": lean_kind(True), "neuron-monitor": needed_kind()}


@pytest.mark.parametrize("name", KINDS)
@given(snapshot=snapshots())
def test_a_reader_misses_nothing_of_what_it_looks_at(name: str, snapshot: Snapshot) -> None:
    kind = KINDS[name]
    whole, lean = encode(snapshot), encode(without(snapshot, to_unseen(unseen(kind))))
    assert decode(kind, lean) == decode(kind, whole)
    cores = [core for device in decode(Snapshot, lean).devices for core in device.cores]
    assert all(getattr(core, name) is None for core in cores for name in unseen(kind)["core"])


def test_who_looks_at_everything_can_do_without_nothing() -> None:
    assert unseen(Snapshot) == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "expected an object"),
        ({"link": []}, "expected core, device, process, found 'link'"),
        ({"core": "status"}, "core: expected a list of its fields that may be unknown"),
        ({"core": ["index"]}, "core: expected a list of its fields that may be unknown"),
        ({"process": [7]}, "process: expected a list of its fields that may be unknown"),
    ],
    ids=lambda value: json.dumps(value) if not isinstance(value, str) else "",
)
def test_what_cannot_be_left_out_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_unseen(value)
