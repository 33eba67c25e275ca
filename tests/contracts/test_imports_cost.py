"""What start-up costs: the modules every neuron-ls imports stay clear of everything slow to load."""

import subprocess
import sys
import sysconfig

import pytest

from tests.contracts.tree import ROOT

DEAR = {"pydantic", "msgspec", "rich", "textual", "boto3", "asyncio", "dataclasses", "pathlib", "subprocess"}

LIGHT = (
    "neurontools.commands.ls",
    "neurontools.hardware.chips",
    "neurontools.hardware.driver",
    "neurontools.hardware.instances",
    "neurontools.hardware.nrt",
    "neurontools.hardware.topology",
    "neurontools.schema.inventory",
    "neurontools.units",
    "neurontools.wire",
)

# Without -S the editable install's own finder would load pathlib before the module under test could.
SCRIPT = """
import sys
module, *directories = sys.argv[1:]
sys.path[:0] = directories
before = set(sys.modules)
__import__(module)
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def loaded_by(module: str) -> set[str]:
    """The top-level modules that a bare interpreter loads to import `module`."""
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, module, str(ROOT), sysconfig.get_path("purelib")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("module", LIGHT)
def test_a_light_module_loads_nothing_dear(module: str) -> None:
    loaded = loaded_by(module)
    assert "neurontools" in loaded
    assert not loaded & DEAR


@pytest.mark.parametrize("module", ["dataclasses", "pathlib", "asyncio", "msgspec"])
def test_a_dear_module_would_be_seen(module: str) -> None:
    assert module in loaded_by(module)


@pytest.mark.parametrize("module", ["device_model.entry", "neurontools.commands.entry"])
def test_an_entry_loads_nothing_of_the_library_before_it_has_decided_on_interrupts(module: str) -> None:
    assert loaded_by(module) <= {"neurontools", "device_model"}
