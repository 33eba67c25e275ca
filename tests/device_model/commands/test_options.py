"""The command line as text: help with examples, and one line of cause and one of advice for every wrong use."""

import pytest

from device_model.__main__ import main
from device_model.commands.options import parse
from tests.conftest import Golden

VERBS = (
    *("run", "start", "restore", "status", "explain", "stop", "advance", "inject", "heal", "faults"),
    *("save", "scenarios", "check", "plan", "sysfs"),
)

WRONG: tuple[list[str], ...] = (
    [],
    ["stauts"],
    ["xyzzy"],
    ["--sokcet", "x"],
    ["status", "--sokcet", "x"],
    ["status", "--sock", "x"],
    ["status", "now"],
    ["status", "--for", "30s"],
    ["status", "--follow", "--for", "soon"],
    ["status", "--follow", "--json"],
    ["status", "--socket", ""],
    ["start", "--speed", "fast"],
    ["start", "--speed", "-1"],
    ["start", "--speed", "nan"],
    ["start", "--speed", "2", "--stepped"],
    ["start", "--seed", "-3"],
    ["start", "--seed", "9" * 5000],
    ["start", "--instance"],
    ["explain"],
    ["explain", "--core", "nc3"],
    ["explain", "--core", "-1"],
    ["advance"],
    ["advance", "1 hour"],
    ["advance", "90"],
    ["save"],
    ["restore"],
    ["run"],
    ["run", "--"],
    ["run", "--stepped", "--"],
    ["run", "--nope", "ls"],
    ["run", "--mount", "--", "ls"],
    ["run", "--host", "", "--", "ls"],
    ["sysfs"],
    ["sysfs", "--to", "/nowhere", "--after", "1m"],
    ["sysfs", "--to", "/", "--scenario", "idle"],
    ["sysfs", "--to", "/nowhere", "--scenario", "idle", "--driver-version", "latest"],
    ["sysfs", "--to", "/nowhere", "--scenario", "idle", "--instance", "inf1.xlarge", "--driver-version", "2.30.2"],
    ["sysfs", "--to", "/nowhere", "--scenario", "idle", "--after", "soon"],
    ["check"],
    ["check", "opt-31b"],
    ["check", "missing.toml"],
    ["check", "idle", "--instance", "inf2.xlrge"],
    ["check", "opt-30b", "--instance", "inf2.xlarge"],
    ["scenarios", "two-tenant"],
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    monkeypatch.setenv("COLUMNS", "100")


def test_every_wrong_use_gets_a_cause_and_a_next_step(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for arguments in WRONG:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert (code, out) == (64, ""), arguments
        shown = " ".join(word if len(word) < 40 else f"{word[:10]}…" for word in arguments)
        told.append(f"$ neuron-model {shown}".rstrip() + f"\n{err}")
    golden("neuron-model/usage.txt", "\n".join(told))


def test_help_has_examples_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], *([verb, "--help"] for verb in VERBS)):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        page = capsys.readouterr().out
        assert "examples:\n  neuron-model " in page
        assert max(map(len, page.splitlines())) <= 120


@pytest.mark.parametrize(
    ("source", "arguments", "path"),
    [
        ("", ["status"], "/nowhere/neurontools/model.sock"),
        ("model:/a/b.sock", ["status"], "/a/b.sock"),
        ("model:/a/b.sock", ["stop", "--socket", "/c.sock"], "/c.sock"),
        ("model:", ["advance", "1s"], "/nowhere/neurontools/model.sock"),
        ("model", ["save", "x"], "/nowhere/neurontools/model.sock"),
        ("sysfs:/root", ["status"], "/nowhere/neurontools/model.sock"),
    ],
)
def test_the_socket_is_the_option_else_the_source_else_the_default(
    monkeypatch: pytest.MonkeyPatch, source: str, arguments: list[str], path: str
) -> None:
    monkeypatch.setenv("NEURONTOOLS_SOURCE", source)
    assert parse(arguments)[1].socket == path


def test_what_follows_the_command_of_run_is_the_commands_own() -> None:
    assert parse(["run", "--stepped", "--", "ls", "--help", "--", "-x"])[1].command[1:] == ["ls", "--help", "--", "-x"]
    assert parse(["run", "ls", "-l", "--socket"])[1].command == ["ls", "-l", "--socket"]


def test_the_pace_is_real_time_unless_told_otherwise() -> None:
    paces = {
        "start": 1.0,
        "start --stepped": 0.0,
        "run --speed 60 -- x": 60.0,
        "restore f": 0.0,
        "restore f --speed 1": 1.0,
    }
    assert {line: parse(line.split())[1].speed for line in paces} == paces
