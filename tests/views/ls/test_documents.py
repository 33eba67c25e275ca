"""The JSON of neuron-ls: keys, types and layout of every instance type."""

import json

import pytest
from hypothesis import given

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.inventory import Holder, Inventory
from neurontools.views.ls import documents, values
from tests.conftest import Golden
from tests.views.inventories import inventories, inventory_of, with_processes

TYPES = {
    "neuron_device": int,
    "bdf": str,
    "cpu_affinity": str,
    "numa_node": str,
    "connected_to": list | None,
    "nc_count": int,
    "logical_neuroncore_config": int,
    "memory_size": int,
    "neuroncore_ids": list,
    "neuron_processes": list,
}


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_type(name: str, golden: Golden) -> None:
    golden(f"neuron-ls/{name}.json", documents.render(with_processes(INSTANCES[name])["several processes"]))


@pytest.mark.parametrize("processes", ["idle", "one process", "several processes"])
def test_any_number_of_processes(processes: str, golden: Golden) -> None:
    host = with_processes(INSTANCES["trn2.3xlarge"])[processes]
    golden(f"neuron-ls/trn2.3xlarge.{processes.replace(' ', '-')}.json", documents.render(host))


@given(inventories())
def test_it_parses_to_what_was_rendered(host: Inventory) -> None:
    text = documents.render(host)
    devices = json.loads(text)
    assert devices == documents.documents(host, values.COMMAND_WIDTH)
    assert text.isascii()
    assert not text.endswith("\n")
    for device in devices:
        assert list(device) == [key for key in TYPES if key != "logical_neuroncore_config" or values.shows_lnc(host)]
        assert all(isinstance(value, TYPES[key]) for key, value in device.items())
        assert len(device["neuroncore_ids"]) == device["nc_count"]


@given(inventories())
def test_core_ids_count_over_the_node(host: Inventory) -> None:
    ids = [core for device in json.loads(documents.render(host)) for core in device["neuroncore_ids"]]
    assert ids == list(range(len(ids)))


def test_one_key_a_line_for_scripts_that_grep() -> None:
    lines = documents.render(inventory_of(INSTANCES["trn1.2xlarge"])).splitlines()
    assert '        "nc_count": 2,' in lines
    assert '        "connected_to": null,' in lines
    assert '        "numa_node": "-1",' in lines


def test_a_command_that_is_no_text_does_not_break_the_document() -> None:
    host = inventory_of(INSTANCES["trn1.2xlarge"], {0: (Holder(1, "caf\u00e9 \udcff", "2.0.0"),)})
    assert json.loads(documents.render(host))[0]["neuron_processes"][0]["command"] == "café ?"
