"""Which source is read: named ones by their name, this machine's own by what it is, and never a model unasked."""

from pathlib import Path

import pytest

from neurontools.hardware.chips import CHIPS
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.source import SourceError
from neurontools.sources.choose import NO_DEVICES, READABLE, SpecError, choose, with_runtimes
from neurontools.sources.sysfs.evidence import neuron_host
from neurontools.wire import default_socket_path
from tests.sources.aws.commands import script
from tests.sources.scripted import Scripted
from tests.sources.server import answering, serving, socket_path
from tests.sources.trees import Tree

PCI_IDS = sorted(device_id for chip in CHIPS.values() for device_id in chip.pci_device_ids)


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def pci_function(root: Path, vendor: str, device: str, address: str = "0000:00:1e.0") -> None:
    write(root, f"sys/bus/pci/devices/{address}/vendor", vendor)
    write(root, f"sys/bus/pci/devices/{address}/device", device)


def reached_path(spec: str | None, environ: dict[str, str]) -> str:
    """The socket that the chosen source tries, as its complaint names it."""
    with pytest.raises(SourceError) as caught:
        choose(spec, environ, "/nonexistent").inventory()
    return caught.value.reason.partition(" at ")[2].partition(": ")[0]


def test_a_model_is_read_at_the_path_that_is_named() -> None:
    with serving(answering({"inventory": 3})) as path:
        source = choose(f"model:{path}", {})
        with pytest.raises(SourceError, match="not a readable inventory"):
            source.inventory()
        source.close()


@pytest.mark.parametrize("spec", ["model", "model:"])
def test_a_model_without_a_path_is_the_user_s_own(spec: str) -> None:
    with socket_path() as path:
        environ = {"XDG_RUNTIME_DIR": path}
        assert reached_path(spec, environ) == default_socket_path(environ)


def test_the_option_goes_before_the_environment() -> None:
    environ = {"NEURONTOOLS_SOURCE": "model:/nowhere/environ"}
    assert reached_path("model:/nowhere/option", environ) == "/nowhere/option"
    assert reached_path(None, environ) == "/nowhere/environ"


@pytest.mark.parametrize("spec", ["sysf", "replays:x@5", "Model", "modelx", "", ":", "model.sock", "Aws", "sysfs "])
def test_a_source_that_cannot_be_read(spec: str) -> None:
    with pytest.raises(SpecError) as caught:
        choose(spec, {})
    assert str(caught.value) == f"cannot read the source {spec!r}: this release reads {READABLE}"


def test_a_command_that_prints_aws_s_lines_may_have_words(tmp_path: Path) -> None:
    source = choose(f"aws:{script(tmp_path, 'head -$1 $LINES')} '1'", {})
    assert source.inventory().instance_type == "inf2.24xlarge"
    source.close()


def test_a_command_that_is_no_command() -> None:
    with pytest.raises(SpecError, match=r"cannot read the command in aws:cat 'x: No closing quotation"):
        choose("aws:cat 'x", {})


@pytest.mark.parametrize("spec", ["aws", "aws:"])
def test_aws_s_own_tool_is_where_aws_installs_it(spec: str) -> None:
    source = choose(spec, {})
    with pytest.raises(SourceError, match="/opt/aws/neuron/bin/neuron-monitor") as caught:
        source.inventory()
    assert "aws-neuronx-tools" in caught.value.hint


@pytest.mark.parametrize("environ", [{}, {"NEURONTOOLS_SOURCE": ""}])
def test_an_ordinary_machine(tmp_path: Path, environ: dict[str, str]) -> None:
    write(tmp_path, "sys/class/dmi/id/product_name", "m7i.large\n")
    pci_function(tmp_path, "0x1d0f\n", "0xec20\n")
    pci_function(tmp_path, "0x8086\n", "0x7364\n", "0000:00:03.0")
    with pytest.raises(SourceError) as caught:
        choose(None, environ, str(tmp_path))
    assert caught.value.reason == NO_DEVICES
    assert "neuron-model start" in caught.value.hint
    assert "--source model" in caught.value.hint


def test_a_neuron_host_never_gets_a_model(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/dmi/id/product_name", "trn2.48xlarge\n")
    with serving(answering({})) as path:
        environ = {"XDG_RUNTIME_DIR": str(Path(path).parent)}
        inventory = choose(None, environ, str(tmp_path)).inventory()
    assert (inventory.devices, inventory.origin, inventory.simulated) == ((), "driver", False)
    assert "trn2.48xlarge" in inventory.why_no_devices
    assert "driver is not loaded" in inventory.why_no_devices


def test_a_neuron_host_is_read_by_itself(tmp_path: Path) -> None:
    Tree(tmp_path, "inf2.xlarge")
    with_name, without = choose(f"sysfs:{tmp_path}", {}), choose(None, {}, str(tmp_path))
    assert with_name.inventory() == without.inventory()
    assert without.inventory().chip == "Inferentia2"
    assert choose("sysfs", {}, str(tmp_path)).inventory() == without.inventory()


def aws_tool(root: Path) -> None:
    """Installs a tool that prints a line below `root`."""
    tool = root / "opt/aws/neuron/bin"
    tool.mkdir(parents=True)
    script(tool, "head -1 $LINES; exec sleep 60", "neuron-monitor")


def test_a_neuron_host_shows_what_aws_s_tool_tells(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/dmi/id/product_name", "inf2.24xlarge\n")
    aws_tool(tmp_path)
    source = choose(None, {}, str(tmp_path))
    assert source.snapshot().processes
    source.close()


def test_hardware_is_read_with_its_runtimes_where_aws_s_tool_is_installed(tmp_path: Path) -> None:
    hardware = Scripted([("a", 10), ("a", 11)])
    assert with_runtimes(hardware, str(tmp_path)) is hardware
    aws_tool(tmp_path)
    source = with_runtimes(hardware, str(tmp_path))
    assert source.inventory() == hardware.inventory()
    head = source.snapshot().head
    source.close()
    assert (head.origin.kind, head.parts["process"].kind) == ("model", "aws")


@pytest.mark.parametrize("name", INSTANCES)
def test_instance_types_are_neuron_hosts(name: str, tmp_path: Path) -> None:
    write(tmp_path, "sys/class/dmi/id/product_name", f"{name}\n")
    assert neuron_host(str(tmp_path)) == f"DMI product name {name}"


@pytest.mark.parametrize("device_id", PCI_IDS)
def test_pci_functions_make_a_neuron_host(device_id: int, tmp_path: Path) -> None:
    pci_function(tmp_path, "0x8086\n", "0x1237\n", "0000:00:00.0")
    pci_function(tmp_path, "0x1d0f\n", f"0x{device_id:04x}\n")
    assert neuron_host(str(tmp_path)) == "PCI function 0000:00:1e.0"


@pytest.mark.parametrize("path", ["sys/class/neuron_device", "sys/devices/virtual/neuron_device"])
def test_the_driver_s_directories_make_a_neuron_host(path: str, tmp_path: Path) -> None:
    (tmp_path / path).mkdir(parents=True)
    assert neuron_host(str(tmp_path)) == f"/{path}"


@pytest.mark.parametrize("product", ["", "info", "trn", "xtrn1.2xlarge", "c7gn.large", "caf\u00e9"])
def test_other_products_are_none(product: str, tmp_path: Path) -> None:
    write(tmp_path, "sys/class/dmi/id/product_name", product)
    write(tmp_path, "sys/bus/pci/devices/0000:00:1e.0/vendor", "garbage")
    assert neuron_host(str(tmp_path)) is None
