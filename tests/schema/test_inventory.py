"""The inventory survives its JSON text, and says what is wrong with another one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurontools.schema.inventory import (
    INVENTORY_VERSION,
    Holder,
    Inventory,
    InventoryDevice,
    InventoryError,
    from_document,
    to_document,
)

_NUMBERS = st.integers(0, 2**40)
_HOLDERS = st.builds(Holder, _NUMBERS, st.text(), st.none() | st.text())
_DEVICES = st.builds(
    InventoryDevice,
    _NUMBERS,
    st.integers(1, 8),
    _NUMBERS,
    connected_to=st.lists(_NUMBERS, max_size=4).map(tuple),
    bdf=st.none() | st.text(),
    cpu_affinity=st.none() | st.text(),
    numa_node=st.none() | st.integers(-1, 3),
    holders=st.lists(_HOLDERS, max_size=2).map(tuple),
)
_INVENTORIES = st.builds(
    Inventory,
    *(st.text(),) * 5,
    logical_neuroncore_config=st.sampled_from((1, 2)),
    devices=st.lists(_DEVICES, max_size=3).map(tuple),
    origin=st.sampled_from(("driver", "aws", "model", "recording")),
    lnc_assumed=st.booleans(),
    simulated=st.booleans(),
    scenario=st.none() | st.text(),
    driver_version=st.none() | st.text(),
    gaps=st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
)


@settings(max_examples=25, deadline=None)
@given(_INVENTORIES)
def test_round_trip(inventory: Inventory) -> None:
    assert from_document(json.loads(json.dumps(to_document(inventory)))) == inventory


@settings(max_examples=10, deadline=None)
@given(_INVENTORIES)
def test_unknown_keys_are_ignored(inventory: Inventory) -> None:
    document = to_document(inventory)
    for record in (document, *document["devices"]):
        record["a_key_of_a_later_release"] = 1
    assert from_document(document) == inventory


@settings(max_examples=10, deadline=None)
@given(_INVENTORIES)
def test_logical_cores_are_counted_per_device(inventory: Inventory) -> None:
    cores = inventory.devices[0].cores if inventory.devices else 0
    assert inventory.logical_cores_per_device == cores // inventory.logical_neuroncore_config


def test_a_foreign_version_is_one_clear_line() -> None:
    with pytest.raises(InventoryError, match=rf"version {INVENTORY_VERSION + 1}, this program reads version") as caught:
        from_document({"version": INVENTORY_VERSION + 1})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        {"version": INVENTORY_VERSION},
        {"version": INVENTORY_VERSION, "devices": [1]},
        {"version": INVENTORY_VERSION, "devices": [[]]},
        {"version": INVENTORY_VERSION, "devices": []},
        [],
        None,
    ],
)
def test_a_damaged_document_is_an_inventory_error(document: Any) -> None:
    with pytest.raises(InventoryError, match="not a readable inventory"):
        from_document(document)
