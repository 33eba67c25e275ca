"""neuron-doctor as people and gates run it: what it prints, its exit codes, and what it says when it cannot see."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_model.simulation import Simulation
from neurontools.commands import doctor, doctor_look, doctor_watch
from neurontools.recording import Frame, Writer, create
from tests.conftest import ROOT, Golden
from tests.device_model.faults.sources import Direct
from tests.device_model.hosts import forward, host, server
from tests.device_model.publish.tree.trees import published


def model() -> Simulation:
    """A small host with a busy server."""
    return forward(host(server("a", arrivals={"kind": "closed", "users": 4}), instance="inf2.8xlarge"), 60)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Simulation:
    """A host that neuron-doctor reads, whatever it is told to."""
    chosen = model()
    monkeypatch.setattr(doctor_look, "choose", lambda *_, **__: Direct(chosen))
    monkeypatch.setattr(doctor_look, "root_of", lambda *_: None)
    return chosen


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = doctor.main(words)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out


@pytest.mark.parametrize(("style", "code"), [("plain", 3), ("nagios", 3), ("npd", 2)])
def test_who_cannot_look_or_tell_has_no_warning_to_give(
    node: Simulation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], style: str, code: int
) -> None:
    assert run(capsys, "/no/such.nrec", "--exit-style", style) == (code, "")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert doctor.main(["--quick", "--exit-style", style]) == code
    assert "cannot write the output: No space left on device" in capsys.readouterr().err


def test_a_message_that_is_cut_says_so(node: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    node.inject("hang", {"core": 0}, {})
    forward(node, 40)
    _, out = run(capsys, "--exit-style", "npd")
    assert len(out) <= 81 and re.search(r"\w\.\.\. \(\d+ rules cannot run\)\n$", out), out


def break_memory(node: Simulation) -> None:
    node.inject("hbm-uncorrected", {"core": 0}, {})
    forward(node, 5)


def test_nothing_found_is_not_called_healthy(
    node: Simulation, capsys: pytest.CaptureFixture[str], golden: Golden
) -> None:
    code, out = run(capsys)
    assert code == 0
    assert "healthy" not in out.replace("unhealthy", "")
    golden("neuron-doctor/nothing.txt", out)


def test_a_finding_comes_with_evidence_and_the_next_step(
    node: Simulation, capsys: pytest.CaptureFixture[str], golden: Golden
) -> None:
    break_memory(node)
    code, out = run(capsys)
    assert code == doctor.EXIT_DEGRADED
    golden("neuron-doctor/uncorrected.txt", out)
    golden("neuron-doctor/uncorrected.json", run(capsys, "--json")[1])


def test_the_last_line_says_what_was_checked(node: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("--quick",)):
        _, out = run(capsys, *words)
        document = json.loads(run(capsys, "--json", *words)[1])
        checked = len(document["checked"])
        unable = len({each["rule"] for each in document["cannot_tell"]} - set(document["checked"]))
        assert out.splitlines()[-1].startswith(f"{checked} rules checked, {unable} cannot run here (")


@pytest.mark.parametrize(
    ("breaks", "words", "code", "begins"),
    [
        (False, ("--exit-style", "nagios"), 0, "NEURON OK - nothing found; "),
        (True, ("--exit-style", "nagios"), 2, "NEURON CRITICAL - ecc-uncorrected device 0: "),
        (False, ("--exit-style", "npd"), 0, "nothing found ("),
        (True, ("--exit-style", "npd"), 1, "ecc-uncorrected device 0: "),
        (False, ("--require", "ecc-uncorrected"), 0, ""),
        (False, ("--require", "ecc-uncorrected,retirement"), 3, ""),
        (True, ("--require", "retirement"), 2, ""),
    ],
)
def test_exit_codes_by_style(
    node: Simulation,
    capsys: pytest.CaptureFixture[str],
    breaks: bool,
    words: tuple[str, ...],
    code: int,
    begins: str,
) -> None:
    if breaks:
        break_memory(node)
    told, out = run(capsys, *words)
    assert told == code
    assert out.startswith(begins)
    if words[1] == "npd":
        assert len(out.rstrip("\n")) <= 80


def test_the_plugin_in_the_documentation_is_a_command_that_runs(
    node: Simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    document = (ROOT / "docs" / "diagnosis.md").read_text()
    (plugin,) = re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    (rule,) = json.loads(plugin)["rules"]
    (line,) = re.findall(r"^neuron-doctor (--quick .*)$", document, re.MULTILINE)
    for words in (rule["args"], line.split()):
        assert run(capsys, *words)[0] == 0
    break_memory(node)
    for words in (rule["args"], line.split()):
        assert run(capsys, *words)[0] == 1


def test_a_warning_exits_with_1_and_does_not_mark_a_node_as_bad(
    node: Simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    node.inject("hbm-corrected", {"core": 0}, {"rate": 7200.0})
    forward(node, 60)
    assert run(capsys)[0] == doctor.EXIT_WARN
    assert run(capsys, "--exit-style", "npd")[0] == 0


def test_a_host_that_cannot_be_read_is_blind(capsys: pytest.CaptureFixture[str]) -> None:
    for style, code in (("plain", 3), ("nagios", 3), ("npd", 2)):
        told, out = run(capsys, "--source", "model:/nowhere/model.sock", "--exit-style", style)
        assert told == code
        assert "nothing" not in out.split("monitor-blind")[0].lower()
        assert "monitor-blind" in out
    assert json.loads(run(capsys, "--source", "model:/nowhere/model.sock", "--json")[1])["checked"] == ["monitor-blind"]


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """The same host as files, as an older driver shows them."""
    with published(model(), "2.24") as (root, _):
        yield root


def test_a_quick_look_at_files_takes_less_than_a_second(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sleeps never, and computes less than that; a busy machine may take longer."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    began_s = time.process_time()
    code, out = run(capsys, "--source", f"sysfs:{tree}", "--quick", "--json")
    assert time.process_time() - began_s < 1 and not slept
    document = json.loads(out)
    assert code == 0
    assert [(each["rule"], each["severity"]) for each in document["findings"]] == [("counters-not-live", "info")]
    assert document["host"]["simulated"] is True


def test_a_source_without_past_is_watched_while_its_time_moves(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_look, "_STEP_S", 0.01)
    doctor.main(["--source", f"sysfs:{tree}"])
    assert "watching for 30 s, as there is no past to look at" in capsys.readouterr().err


def test_a_recording_tells_all_that_was_found_in_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sick, path, seen = model(), tmp_path / "day.nrec", 0
    fd = create(str(path))
    writer = Writer(fd)
    for second in range(40):
        if second == 10:
            sick.inject("device-reset", {"device": 0}, {"seconds": 5.0})
        if second == 20:
            sick.inject("hbm-uncorrected", {"core": 0}, {})
        forward(sick, 1)
        events = sick.events(seen)
        seen += len(events.events)
        writer.write(Frame(sick.snapshot(), sick.inventory(), events))
    writer.end_block()
    os.close(fd)
    code, out = run(capsys, str(path))
    assert code == doctor.EXIT_DEGRADED
    lines = [line for line in out.splitlines() if line[:1].isupper()]
    assert "2026-01-05T00:01:01Z to 2026-01-05T00:01:40Z" in lines[0]
    assert [line.split()[1] for line in lines if line.split()[0] in ("INFO", "REPLACE")] == [
        "device-reset,",
        "ecc-uncorrected,",
    ]


def test_watching_tells_what_begins_and_what_ends() -> None:
    model = host(server("a", arrivals={"kind": "closed", "users": 4}), instance="inf2.8xlarge")
    visit = doctor_look.Visit(Direct(forward(model, 20)), None)
    known: doctor_watch.Known = {}
    assert list(doctor_watch.changes(known, visit.look())) == []
    model.inject("device-reset", {"device": 0}, {"seconds": 5.0})
    told = []
    for _ in range(10):
        forward(model, 30)
        told += list(doctor_watch.changes(known, visit.look()))
    assert [(began, finding.rule) for began, finding in told if finding.rule == "device-reset"] == [
        (True, "device-reset"),
        (False, "device-reset"),
    ]


def test_explain_knows_every_rule_and_code(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    golden("neuron-doctor/explain.txt", run(capsys, "explain")[1])
    for word in ("1202", "NRT_EXEC_HW_ERR_NC_UE", "hw_nc_ue_error", "exec_hw_err_nc_ue"):
        assert run(capsys, "explain", word)[1].startswith("1202 NRT_EXEC_HW_ERR_NC_UE\n")
    assert "1004 NRT_EXEC_COMPLETED_WITH_ERR" in run(capsys, "explain", "execute_sw_psum_collision")[1]
    golden("neuron-doctor/explain-rule.txt", run(capsys, "explain", "ecc-uncorrected")[1])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("explain", "ecc-uncorected"), "did you mean"),
        (("--require", "ecc"), "there is no rule 'ecc'"),
        (("--exit-style", "naigos"), "did you mean"),
        (("--window", "soon"), "--window takes a duration"),
        (("--window", "0s"), "--window takes a duration"),
        (("a.nrec", "b.nrec"), "one recording at a time"),
        (("explan", "1202"), "did you mean 'explain'?"),
        (("a.nrec", "--quick"), "--quick does not go with a recording"),
        (("--watch", "--quick"), "--quick does not go with --watch"),
        (("--watch", "a.nrec"), "replay it: --source replay:PATH"),
        (("--badflag",), "unknown flag"),
    ],
)
def test_a_wrong_command_line_is_told_in_a_line(
    words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(words) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_recording_fails_with_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.nrec").write_text("text")
    assert doctor.main([str(tmp_path / "x.nrec")]) == doctor.EXIT_BLIND
    assert "cannot read" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str], golden: Golden) -> None:
    golden("neuron-doctor/help.txt", run(capsys, "--help")[1])
    assert run(capsys, "--version")[1].startswith("neuron-doctor ")
    assert "neuron-doctor explain" in run(capsys, "explain", "--help")[1]


def test_a_directory_that_no_recorder_wrote_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "other"):
        (tmp_path / f"{name}.nrec").write_bytes(b"")
    assert doctor.main([str(tmp_path)]) == doctor.EXIT_BLIND
    assert capsys.readouterr().err == (
        f"neuron-doctor: cannot read {tmp_path}: no recorder has written into it: name one of its 2 recordings\n"
        f"neuron-doctor: `neuron-recorder list {tmp_path}` shows what is in it\n"
    )
