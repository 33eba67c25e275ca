"""neuron-ls against real tools' output, byte for byte on the columns that each release had."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from neurontools.hardware.instances import INSTANCES
from neurontools.hardware.topology import adjacency
from neurontools.schema.inventory import Holder, Inventory
from neurontools.views.ls import documents, table, topology, values
from tests.views.inventories import inventory_of

BENCH = "neuron-bench exec --run-as-cc-neff --warmup none --fixed-instance-count 64 --work-dir /tmp/bench"
DOCS_ID = "i-aabbccdd123456789"

# Columns that a release of the tool did not have, or left out on these hosts.
SINCE_2025 = (("NEURON", "CORE IDS"), ("CPU", "AFFINITY"), ("NUMA", "NODE"))
OLDER = tuple(column for column in table.COLUMNS if column not in SINCE_2025)


def like(name: str, *, instance_id: str = "", bdfs: Sequence[str] | None = None, short: bool = True) -> Inventory:
    """A host of this type; `short` leaves out the PCI domain as older releases did."""
    instance = INSTANCES[name]
    inventory = inventory_of(instance)
    addresses = [address.removeprefix("0000:" * short) for address in bdfs or instance.bdfs or ()]
    devices = (device._replace(bdf=bdf) for device, bdf in zip(inventory.devices, addresses, strict=True))
    return inventory._replace(instance_id=instance_id, devices=tuple(devices))


def documented(*holders: Holder, short: bool = True) -> Inventory:
    """The host of the documentation's samples, which print the neighbours in the older chip's order."""
    inventory = like("trn2n.48xlarge", instance_id=DOCS_ID, short=short)
    order = adjacency(INSTANCES["trn1.32xlarge"])
    devices = (
        device._replace(connected_to=peers, holders=holders)
        for device, peers in zip(inventory.devices, order, strict=True)
    )
    return inventory._replace(devices=tuple(devices))


def read(captures: Path, name: str) -> str:
    """A capture without the prompt and the command above it."""
    text = (captures / f"neuron-ls.{name}").read_text()
    return text.partition("\n")[2] if text.startswith("$ ") else text


def jax_host() -> Inventory:
    inventory = like("trn1.2xlarge", instance_id="i-09e7a3b60c6a6eac8", short=False)
    holders = (Holder(16237, "python equinox_mnist_verification.py", "2.27.23"),)
    return inventory._replace(devices=(inventory.devices[0]._replace(holders=holders),))


def older_trn1() -> Inventory:
    (bdfs,) = INSTANCES["trn1.32xlarge"].other_bdfs
    return like("trn1.32xlarge", instance_id="i-0633517e496256bf8", bdfs=bdfs)


BENCHING = Holder(268911, BENCH, "2.0.0")
OWN = Holder(269192, "neuron-ls --show-all-procs")

TABLES = {
    "inf2.48xlarge.txt": lambda: table.render(like("inf2.48xlarge"), columns=OLDER),
    "trn1.32xlarge.txt": lambda: table.render(older_trn1(), columns=OLDER),
    "trn1.2xlarge.with-process-jax.txt": lambda: table.render(jax_host()),
    "trn2n.48xlarge.docs.plain.txt": lambda: table.render(documented(short=False)),
    "trn2n.48xlarge.docs.wide.txt": lambda: table.render(
        documented(BENCHING), columns=OLDER, command_width=values.WIDE_COMMAND_WIDTH
    ),
    "trn2n.48xlarge.docs.show-all-procs.txt": lambda: table.render(
        values.listed(documented(BENCHING), OWN), columns=OLDER
    ),
    "trn2n.48xlarge.docs.topology.txt": lambda: (
        table.render(documented(), columns=OLDER) + topology.render(documented())
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_captured_one(name: str, captures: Path) -> None:
    assert TABLES[name]() == read(captures, name)


def test_a_document_is_the_captured_one(captures: Path) -> None:
    assert documents.render(like("trn1.2xlarge", short=False)) == read(captures, "trn1.2xlarge.json")


def test_the_documentation_s_devices_have_these_keys_and_values(captures: Path) -> None:
    # The sample leaves out the devices between and is indented by the page around it.
    shown = json.loads(read(captures, "trn2n.48xlarge.docs.json.txt").replace("  ...\n", ""))
    devices = documents.documents(documented(Holder(113985, BENCH, "2.0.0")), values.COMMAND_WIDTH)
    for captured, device in zip(shown, (devices[0], devices[15]), strict=True):
        assert list(captured.items()) == list(device.items())


def test_every_capture_is_compared(captures: Path) -> None:
    others = {"errors.txt", "trn1.2xlarge.json", "trn2n.48xlarge.docs.json.txt"}
    assert {path.name.removeprefix("neuron-ls.") for path in captures.glob("neuron-ls.*")} == {*TABLES, *others}
