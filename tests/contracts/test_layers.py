"""Who may import whom: the contracts in pyproject.toml hold, and they notice a breach."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.contracts.tree import ROOT

# Each module of the miniature tree breaks one rule: module → what it imports.
BREACHES = {
    "neurontools/units.py": "neurontools.hardware",
    "neurontools/hardware/chips.py": "neurontools.schema",
    "neurontools/schema/snapshot.py": "neurontools.wire",
    "neurontools/wire.py": "neurontools.metrics",
    "neurontools/report_format/decode.py": "neurontools.wire",
    "neurontools/views/ls.py": "neurontools.sources",
    "neurontools/sources/model.py": "device_model",
    "device_model/daemon.py": "neurontools.metrics",
    "device_model/machine.py": "neurontools.views.ls",
    "device_model/kernel.py": "device_model.machine",
    "device_model/commands.py": "device_model.testing",
}
ALLOWED = {
    "neurontools/commands/ls.py": ("neurontools.views.ls", "neurontools.sources.model", "neurontools.metrics"),
    "neurontools/metrics.py": ("neurontools.schema.snapshot", "neurontools.hardware.chips"),
    "device_model/publish.py": ("neurontools.wire", "neurontools.schema.snapshot", "neurontools.hardware.chips"),
}


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the project's contracts on the packages below `directory`."""
    script = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", script, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def layer_files() -> list[str]:
    """A file for every layer that must exist, unless the miniature has it as a package."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = [
        (contract["containers"][0], name.strip())
        for contract in contracts
        if contract["type"] == "layers"
        for layer in contract["layers"]
        for name in layer.split("|")
    ]
    packages = {tuple(name.split("/")[:2]) for name in (*BREACHES, *ALLOWED) if name.count("/") > 1}
    return [f"{top}/{name}.py" for top, name in named if not name.startswith("(") and (top, name) not in packages]


def write_tree(directory: Path) -> None:
    """Write the miniature of both packages: the allowed imports and the breaches."""
    imports = {name: () for name in layer_files()} | {name: (target,) for name, target in BREACHES.items()} | ALLOWED
    for name, targets in imports.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(directory).parents[:-1]:
            (directory / package / "__init__.py").touch()
        path.write_text("".join(f"import {target}\n" for target in targets))


def dotted(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".")


def test_the_project_keeps_its_contracts() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 kept, 0 broken" in result.stdout


def test_every_breach_is_noticed_and_nothing_else(tmp_path: Path) -> None:
    write_tree(tmp_path)
    result = lint_imports(tmp_path)
    assert "0 kept, 4 broken" in result.stdout, result.stdout + result.stderr
    reported = " ".join(result.stdout.split())
    for name in BREACHES:
        assert f"{dotted(name)} -> " in reported, f"{name} may import {BREACHES[name]}"
    for name in ALLOWED:
        assert f"{dotted(name)} -> " not in reported, result.stdout


def test_a_new_top_level_module_must_be_given_a_layer(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "neurontools" / "extra.py").touch()
    assert "extra" in lint_imports(tmp_path).stdout
