"""neuron-ls as programs run it: a real process, a real socket, and nothing but its output to go by."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurontools.commands import ls, source_flags
from neurontools.hardware.instances import INSTANCES
from neurontools.schema.inventory import to_document
from neurontools.sources.choose import READABLE, choose
from neurontools.views.ls import documents, table, topology, values
from tests.conftest import Golden
from tests.sources.server import answering, serving, socket_path
from tests.views.inventories import SHORT, TOOL, inventory_of

ROOT = Path(__file__).resolve().parents[2]
HOST = inventory_of(INSTANCES["trn2.48xlarge"], {0: (SHORT, TOOL), 1: (SHORT._replace(command="x" * 50),)})
LISTED = values.listed(HOST, None)

DEAR = {"pydantic", "msgspec", "rich", "textual", "boto3", "asyncio", "dataclasses", "pathlib", "subprocess"}

FATAL = (
    r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=fatal msg="Failed to load MLA system information" error="([^"]*)"'
)

# The editable install's finder loads pathlib before anything else; without -S it would hide what is loaded later.
ENTRY = "import sys; sys.path[:0] = {paths!r}; from neurontools.commands.ls import entry; {after}"


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with serving(answering({"inventory": to_document(HOST)})) as path:
        yield f"model:{path}"


def command(*words: str, after: str = "sys.exit(entry())") -> list[str]:
    paths = [str(ROOT), sysconfig.get_path("purelib")]
    return [sys.executable, "-I", "-S", "-c", ENTRY.format(paths=paths, after=after), *words]


def neuron_ls(*words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    result = subprocess.run(command(*words), env=os.environ | environ, capture_output=True, check=False)
    assert b"Traceback" not in result.stderr
    return result


EXPECTED = {
    "": table.render(LISTED),
    "-w": table.render(LISTED, command_width=80),
    "--topology": table.render(LISTED) + topology.render(LISTED),
    "-j": documents.render(LISTED),
    "--json": documents.render(LISTED),
    "--json-output --wide --topology": documents.render(LISTED, command_width=80),
}


@pytest.mark.parametrize("words", EXPECTED)
def test_it_prints_what_the_model_has(words: str, model: str) -> None:
    result = neuron_ls("--source", model, *words.split())
    assert (result.returncode, result.stdout.decode(), result.stderr) == (0, EXPECTED[words], b"")


def test_the_environment_may_name_the_model(model: str) -> None:
    assert neuron_ls("-j", NEURONTOOLS_SOURCE=model).stdout.decode() == documents.render(LISTED)


def test_all_processes_are_those_with_tools_and_itself(model: str) -> None:
    process = subprocess.Popen(command("-j", "-a", "--source", model), stdout=subprocess.PIPE)
    devices = json.loads(process.communicate()[0])
    own = {
        "pid": process.pid,
        "command": values.clip(f"neuron-ls -j -a --source {model}", 40),
        "neuron_runtime_version": "NA",
    }
    assert all(device["neuron_processes"][-1] == own for device in devices)
    assert [holder["command"] for holder in devices[0]["neuron_processes"][:-1]] == [SHORT.command, TOOL.command]


@pytest.mark.parametrize(("word", "said"), [("--badflag", b"unknown flag `badflag'\n"), ("-x", b"unknown flag `x'\n")])
def test_an_unknown_flag_is_answered_on_stdout(word: str, said: bytes) -> None:
    result = neuron_ls("-j", word)
    assert (result.returncode, result.stdout, result.stderr) == (1, said, b"")


def test_a_source_that_this_release_does_not_read() -> None:
    result = neuron_ls("--source", "sysf")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"neuron-ls: cannot read the source 'sysf': this release reads {READABLE}\n"


def fatal(result: subprocess.CompletedProcess[bytes]) -> tuple[str, list[str]]:
    """The reason in the line of AWS's tool, and the hints below it."""
    assert (result.returncode, result.stdout) == (1, b"")
    first, *hints = result.stderr.decode().splitlines()
    match = re.fullmatch(FATAL, first)
    assert match, first
    assert all(hint.startswith("neuron-ls: ") for hint in hints)
    assert len(hints) <= 1
    return match[1], hints


def test_no_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        source_flags, "choose", lambda spec, environ, place: choose(spec, environ, str(tmp_path), place)
    )
    code = ls.main(["-j"])
    out, err = capfd.readouterr()
    reason, hints = fatal(subprocess.CompletedProcess([], code, out.encode(), err.encode()))
    assert reason == "failed to discover Neuron devices"
    assert len(hints) == 1


def test_a_host_without_devices() -> None:
    empty = to_document(HOST._replace(devices=()))
    with serving(answering({"inventory": empty})) as path:
        assert fatal(neuron_ls("--source", f"model:{path}")) == ("failed to discover Neuron devices", [])


def test_a_model_that_cannot_be_reached() -> None:
    with socket_path() as path:
        reason, hints = fatal(neuron_ls("-j", "--source", f"model:{path}"))
    assert path in reason
    assert hints == ["neuron-ls: start one with: neuron-model start"]


def test_the_fatal_line_is_the_captured_one(captures: Path) -> None:
    lines = (captures / "neuron-ls.errors.txt").read_text().splitlines()
    (captured,) = [line for line in lines if line.startswith("time=")]
    with serving(answering({"inventory": to_document(HOST._replace(devices=()))})) as path:
        line = neuron_ls("--source", f"model:{path}").stderr.decode().removesuffix("\n")
    assert re.sub(r'time="[^"]*"', "", line) == re.sub(r'time="[^"]*"', "", captured)
    assert neuron_ls("--badflag").stdout.decode().rstrip() in lines


def test_a_reader_that_has_seen_enough(model: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        result = subprocess.run(command("--source", model), stdout=stdout, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (141, b"")


def test_a_full_disk(model: str) -> None:
    with open("/dev/full", "wb") as stdout:
        result = subprocess.run(command("--source", model), stdout=stdout, stderr=subprocess.PIPE, check=False)
    assert (result.returncode, result.stderr) == (1, b"neuron-ls: cannot write the output: No space left on device\n")


def test_a_terminal_without_unicode(model: str) -> None:
    # These two switch off what makes Python prefer UTF-8 in the C locale; -I would not let them in.
    words = [word for word in command("-t", "--source", model) if word != "-I"]
    environ = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = subprocess.run(words, env=environ, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode("ascii") == topology.to_ascii(table.render(LISTED) + topology.render(LISTED))


def test_help_with_examples(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    assert ls.main(["--help"]) == 0
    golden("neuron-ls/help.txt", capsys.readouterr().out)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ls.main(["--version"]) == 0
    assert re.fullmatch(r"neuron-ls (\d+\.\d+\.\d+|unknown) \(neurontools\)\n", capsys.readouterr().out)


@pytest.mark.parametrize("words", ["-j", "-t"])
def test_it_loads_nothing_dear(words: str, model: str) -> None:
    after = "assert entry() == 0; print(*sys.modules, file=sys.stderr)"
    process = subprocess.run(command(words, "--source", model, after=after), capture_output=True, text=True, check=True)
    loaded = set(process.stderr.split())
    assert "neurontools.sources.model" in loaded
    assert not loaded & DEAR
    assert not loaded & {"argparse", "socket", "neurontools.hardware.chips"}
