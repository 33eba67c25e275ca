"""What README shows is what the programs print: every marked block is a command and its real output."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.contracts.tree import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- real output -->\n```console\n\$ (?P<command>[^\n]+)\n(?P<text>.*?)```\n", re.DOTALL)

RECIPE = re.compile(r"^neuron-monitor .*\| jq .*$", re.MULTILINE)

# What differs from one run to the next, and what README has in its place.
MASKS = ((r"socket \S+, pid \d+", "socket /run/user/1000/neuron-k3x9/model.sock, pid 20817"),)


def output_of(command: str) -> str:
    """What a reader sees who types the command with our tools on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=os.environ | {"PATH": path}, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    text = result.stdout
    for pattern, shown in MASKS:
        text = re.sub(pattern, shown, text)
    return text


def renewed(text: str) -> str:
    """README with every block as the programs print it today."""
    return BLOCK.sub(
        lambda block: f"<!-- real output -->\n```console\n$ {block['command']}\n{output_of(block['command'])}```\n",
        text,
    )


@pytest.mark.slow
def test_the_recipes_in_readme_work() -> None:
    recipes = RECIPE.findall(README.read_text())
    assert len(recipes) >= 4
    for recipe in recipes:
        once = recipe.replace("neuron-monitor", "neuron-monitor --once").replace("'", "'\\''")
        answer = output_of(f"neuron-model run --stepped -- sh -c 'neuron-model advance 1m >&2; {once}'")
        assert answer.strip(), recipe
        assert "null" not in answer, recipe


@pytest.mark.slow
def test_the_outputs_in_readme_are_real(golden: Golden) -> None:
    assert shutil.which("jq"), "jq is missing: install it (Debian: apt-get install jq)"
    shown = README.read_text()
    assert len(BLOCK.findall(shown)) >= 5
    golden("../../README.md", renewed(shown))
