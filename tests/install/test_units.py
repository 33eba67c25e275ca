"""The units for systemd: they start programs with options that there are, and allow them nothing more."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from install.page import programs
from neurontools.commands import monitor_prometheus, recorder
from tests.conftest import ROOT

UNITS = sorted((ROOT / "install" / "systemd").glob("*.service"))

HARDENED = {
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "DynamicUser": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "ProtectHome": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "UMask": "0077",
}


def service(path: Path) -> dict[str, str]:
    """The settings of a unit's service; of one that is given twice the last."""
    parser = ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    assert set(parser.sections()) == {"Unit", "Service", "Install"}
    return dict(parser["Service"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_gives_its_program_nothing_that_it_does_not_need(path: Path) -> None:
    assert HARDENED.items() <= service(path).items()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_it_starts_a_program_of_ours_with_options_that_there_are(path: Path) -> None:
    program, *words = service(path)["ExecStart"].split()
    assert Path(program).parent == Path("/usr/local/bin")
    assert Path(program).name in programs()
    verb = recorder._VERBS.get(words[0])
    flags = monitor_prometheus._FLAGS if verb is None else verb.flags
    assert {word.removeprefix("--") for word in words if word.startswith("--")} <= {flag.long for flag in flags}


def complaints(directory: Path, text: str, name: str) -> list[str]:
    """What systemd says of a unit whose program is this environment's; where it is not installed, of unknown lines."""
    unit = directory / name
    unit.write_text(text.replace("/usr/local/bin", str(Path(sys.executable).parent)))
    if shutil.which("systemd-analyze") is None:
        return [line for line in text.splitlines() if not re.fullmatch(r"(#.*|\[\w+\]|[A-Z]\w+=.*|)", line)]
    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_finds_nothing_wrong(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    assert complaints(tmp_path, text, path.name) == []
    assert complaints(tmp_path, text.replace("NoNewPrivileges=yes", "No New Privileges"), path.name) != []
