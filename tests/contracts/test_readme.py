"""What README shows is what the programs print: every marked block is the output of the command in its mark."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.tree import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- output of: (?P<command>.+?) -->\n```text\n(?P<text>.*?)```\n", re.DOTALL)

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
        lambda block: f"<!-- output of: {block['command']} -->\n```text\n{output_of(block['command'])}```\n", text
    )


@pytest.mark.slow
def test_the_outputs_in_readme_are_real() -> None:
    assert shutil.which("jq"), "jq is missing: install it (Debian: apt-get install jq)"
    shown = README.read_text()
    assert len(BLOCK.findall(shown)) >= 5
    real = renewed(shown)
    if os.environ.get("NEURONTOOLS_GOLDEN") == "write":
        README.write_text(real)
    assert real == README.read_text()
