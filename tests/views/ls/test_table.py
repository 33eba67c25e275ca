"""The box of neuron-ls: byte for byte that of every instance type, and whole whatever an inventory holds."""

import pytest
from hypothesis import given

from neurontools.hardware.instances import INSTANCES
from neurontools.schema.inventory import Holder, Inventory
from neurontools.views.ls import table, values
from tests.conftest import Golden
from tests.views.inventories import SHORT, TOOL, inventories, inventory_of, with_processes

COMMAND = "neuron-bench exec --run-as-cc-neff --warmup none --fixed-instance-count 64 --work-dir x"


def with_holders(*holders: Holder) -> Inventory:
    return inventory_of(INSTANCES["trn1.2xlarge"], {0: holders})


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_type(name: str, golden: Golden) -> None:
    parts = [f"{kind}:\n{table.render(host)}" for kind, host in with_processes(INSTANCES[name]).items()]
    golden(f"neuron-ls/{name}.table.txt", "\n".join(parts))


def test_wide_commands(golden: Golden) -> None:
    host = inventory_of(INSTANCES["inf2.24xlarge"], {0: (Holder(1, COMMAND, "2.0.0"),)})
    golden("neuron-ls/wide.txt", table.render(host, command_width=values.WIDE_COMMAND_WIDTH))


@given(inventories())
def test_all_lines_are_equally_wide(host: Inventory) -> None:
    lines = table.render(host).splitlines()
    boxed = [line for line in lines if line[0] in "+|"]
    assert len({len(line) for line in boxed}) == 1
    assert len(boxed) + 1 <= len(lines) <= len(boxed) + 3
    rows = sum(max(1, len(device.holders)) for device in host.devices)
    apart = any(len(device.holders) > 1 for device in host.devices)
    assert len(boxed) == 4 + rows + (len(host.devices) if apart else 1)


@given(inventories())
def test_the_fourth_field_is_the_number_of_cores(host: Inventory) -> None:
    lines = [line.split() for line in table.render(host).splitlines()]
    rows = [words for words in lines if words[0] == "|" and words[1].isdigit() and words[3].isdigit()]
    counts = {words[1]: int(words[3]) for words in rows}
    for device in host.devices:
        assert counts[str(device.device)] == device.cores // host.logical_neuroncore_config


def test_columns_that_are_empty_everywhere_are_left_out() -> None:
    headings = cells(table.render(with_holders()).splitlines()[3])
    assert headings == ["NEURON", "NEURON", "NEURON", "NEURON", "PCI", "CPU", "NUMA"]


def test_a_device_with_several_processes_is_set_apart() -> None:
    lines = table.render(with_holders(SHORT, TOOL)).splitlines()
    rows = [cells(line) for line in lines[6:]]
    assert rows[0][5] == "16237"
    assert rows[1][:5] == [""] * 5
    assert rows[1][-1] == values.NO_RUNTIME
    assert lines[-1] == lines[2]
    assert lines[-2] != lines[2]


@pytest.mark.parametrize(
    ("command", "width", "shown"),
    [
        (COMMAND, values.COMMAND_WIDTH, "neuron-bench exec --run-as-cc-neff --..."),
        (COMMAND, values.WIDE_COMMAND_WIDTH, COMMAND[:77] + "..."),
        ("x" * 40, values.COMMAND_WIDTH, "x" * 40),
        ("x" * 41, values.COMMAND_WIDTH, "x" * 37 + "..."),
        ("a\nb\tc\x1b[31m\udcff", values.COMMAND_WIDTH, "a?b?c?[31m?"),
    ],
)
def test_commands_are_clipped_and_stay_on_their_line(command: str, width: int, shown: str) -> None:
    last = table.render(with_holders(Holder(1, command, "2.0.0")), command_width=width).splitlines()[-2]
    assert cells(last)[-2] == shown


def test_wide_letters_keep_the_box_straight() -> None:
    lines = table.render(with_holders(Holder(1, "推理服务 e\u0301", "2.0.0"))).splitlines()
    # Four letters of two columns more than characters, and an accent of none.
    assert len(lines[-2]) - 1 + 4 == len(lines[-1])


def test_only_chips_that_have_logical_cores_speak_of_them() -> None:
    speaking = {name for name, instance in INSTANCES.items() if values.shows_lnc(inventory_of(instance))}
    assert speaking == {name for name in INSTANCES if name.startswith(("trn2", "trn3"))}


def test_tools_are_listed_on_request() -> None:
    host = with_holders(SHORT, TOOL)
    own = Holder(99, "neuron-ls -a")
    assert values.listed(host, None).devices[0].holders == (SHORT,)
    assert values.listed(host, own).devices[0].holders == (SHORT, TOOL, own)
