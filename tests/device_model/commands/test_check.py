"""`neuron-model check` as people and CI use it: what fits, what holds, the schema, and the exit codes."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from device_model.__main__ import main
from device_model.commands.progress import through_time
from device_model.scenario import json_schema
from tests.conftest import Golden
from tests.device_model.hosts import host

SMALL = """
description = "a model in too few cores"
instance = "inf2.xlarge"
[[processes]]
name = "big"
command = "serve"
[processes.workload]
kind = "llm"
model = "opt-66b"
tp = 2
arrivals = { kind = "closed", users = 1 }
prompt = { mean = 96 }
output = { mean = 256 }
"""


def test_check_says_what_will_not_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    assert main(["check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{path}: fine on inf2.xlarge, 1 process\n"
    assert err.startswith("neuron-model: note: serve ends ")
    assert err.endswith("s after the start: exit status 1 (NRT_RESOURCE)\n")


def test_check_is_quiet_about_what_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "opt-30b"]) == 0
    assert capsys.readouterr() == ("opt-30b: fine on inf2.48xlarge, 3 processes\n", "")


TRIED = """
description = "a server that is tried"
instance = "inf2.xlarge"

[[processes]]
name = "chat"
command = "serve"
restart = "5s"
[processes.workload]
kind = "llm"
model = "opt-1.3b"
tp = 2
arrivals = { kind = "closed", users = 3 }
prompt = { mean = 60 }
output = { mean = 40 }

[[faults]]
fault = "crash"
process = "chat"
at = "20s"

[[faults]]
fault = "crash"
process = "chat"
at = "21s"

[[expect]]
metric = "cores[0].utilization_percent"
from = "5s"
to = "19s"
above = 90

[[expect]]
event = "killed by"
kind = "process_end"
by = "30s"
equals = 1
"""

WISH = """
[[expect]]
metric = "processes[chat].workload.generated_tokens_per_s"
from = "5s"
to = "19s"
above = 1e9
"""

NOTE = "neuron-model: note: faults[1] does not happen 21s after the start: no process 'chat' runs; none does\n"


def tried(directory: Path, more: str = "") -> str:
    path = directory / "tried.toml"
    path.write_text(TRIED + more)
    return str(path)


def test_a_run_says_what_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden: Golden
) -> None:
    monkeypatch.chdir(tmp_path)
    tried(tmp_path, WISH)
    assert main(["check", "tried.toml", "--run"]) == 1
    out, err = capsys.readouterr()
    assert NOTE in err
    golden("neuron-model/check-run.txt", out)


def test_a_run_in_which_all_holds_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", tried(tmp_path), "--run"]) == 0
    assert "2 of 2 hold after 30s" in capsys.readouterr().out


def test_what_was_found_can_be_had_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", tried(tmp_path, WISH), "--run", "--json", "--seed", "7"]) == 1
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in ("scenario", "instance", "seed", "held")} == {
        "scenario": "tried",
        "instance": "inf2.xlarge",
        "seed": 7,
        "held": False,
    }
    assert [each["holds"] for each in found["expectations"]] == [True, True, False]
    assert found["expectations"][1] == {
        "expected": "process_end 'killed by' by 30s: equal to 1",
        "holds": True,
        "found": 1,
        "baseline": None,
        "up_ns": 20_000_000_000,
        "reason": None,
    }


def test_a_run_on_another_instance_type_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", tried(tmp_path), "--run", "--instance", "inf2.24xlarge"]) == 0
    assert " on inf2.24xlarge: " in capsys.readouterr().out


def test_the_schema_is_printed_without_a_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ([], "check needs a scenario"),
        (["--run"], "check needs a scenario"),
        (["idle", "--json"], "--json needs --run"),
        (["idle", "--schema"], "--schema goes alone: it is the same for every scenario"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *arguments]) == 64
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", f"neuron-model: {cause}")


def test_a_run_of_what_expects_nothing_cannot_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('description = "mine"\ninstance = "inf2.xlarge"\n')
    assert main(["check", str(path), "--run"]) == 64
    assert f"{path} expects nothing, so a run of it cannot fail" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A stream that people watch, or not."""

    def __init__(self, watched: bool) -> None:
        super().__init__()
        self._watched = watched

    def isatty(self) -> bool:
        return self._watched


@pytest.mark.parametrize(
    ("watched", "text"),
    [
        (False, "neuron-model: 1m of 1h\nneuron-model: 2m of 1h\n"),
        (True, "\r\x1b[Kneuron-model: 1m of 1h\r\x1b[Kneuron-model: 2m of 1h\r\x1b[K"),
    ],
)
def test_a_long_run_says_how_far_it_is(watched: bool, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("device_model.commands.progress.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("sys.stderr", stream := Terminal(watched))
    model = host()
    progress = through_time(model, 3600 * 10**9)
    progress()
    for wall_s, up_s in ((0.9, 30), (1.1, 60), (1.2, 90), (11.2, 120)):
        clock[0] = wall_s
        model.advance(model.epoch_ns + up_s * 10**9)
        progress()
    progress.end()
    assert stream.getvalue() == text
