"""neuron-recorder on a fixed recording: what it prints in every format, and what it says of what is wrong."""

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from shutil import copy

import msgspec
import pytest

from neurontools.commands import errors, multi, recorder
from neurontools.exporters.prometheus import FAMILIES
from neurontools.exporters.report import decode, whole
from neurontools.metrics import BY_NAME
from neurontools.recording import RECORDING, Recording
from neurontools.schema.interval import Interval, between
from neurontools.units import NS_PER_S, format_time_ns
from tests.conftest import ROOT, Golden
from tests.exporters.prometheus.shown import parsed_openmetrics

DATA = ROOT / "tests" / "recording" / "data"
SAMPLE = str(DATA / "version-1.nrec")

RULES = """
groups:
  - name: neuron
    rules:
      - alert: Ecc
        expr: increase(hardware_ecc_events_total{event_type="mem_ecc_corrected"}[1m]) > 0
      - alert: Slow
        expr: histogram_quantile(0.5, rate(neuron_process_latency_seconds_bucket[1m])) > 1
"""

Output = pytest.CaptureFixture[str]


def printed(capsys: Output, *words: str) -> str:
    """What the program prints; it must succeed and say nothing else."""
    code = recorder.main(words)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def intervals() -> list[Interval]:
    """What the recording's readings are, from one to the next."""
    with Recording(SAMPLE) as recording:
        return [between(before.snapshot, now.snapshot) for before, now in pairwise(recording.frames())]


def test_help_of_every_verb(capsys: Output, golden: Golden) -> None:
    words = (["--help"], *([verb, "--help"] for verb in recorder._VERBS))
    golden("neuron-recorder/help.txt", "\n".join(printed(capsys, *each) for each in words))
    assert re.fullmatch(r"neuron-recorder \S+ \(neurontools\)\n", printed(capsys, "--version"))
    assert multi.main(["recorder", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage:\n  neuron-recorder")


def test_list(capsys: Output, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy(SAMPLE, tmp_path)
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    golden("neuron-recorder/list.txt", printed(capsys, "list", "version-1.nrec"))
    assert printed(capsys, "list", ".") == printed(capsys, "list", "./version-1.nrec")
    twice = printed(capsys, "list", "version-1.nrec", "version-1.nrec", "--json").splitlines()
    assert twice[0] == twice[1]
    assert json.loads(twice[0])["readings"] == 9


def test_a_file_that_is_no_recording_hides_no_other(capsys: Output, tmp_path: Path) -> None:
    copy(SAMPLE, tmp_path / "b.nrec")
    alone = printed(capsys, "list", str(tmp_path), "--json")
    for name in ("a.nrec", "c.nrec"):
        (tmp_path / name).touch()
    assert recorder.main(["list", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert out == alone
    notes = [f"neuron-recorder: note: cannot read {tmp_path}/{name}.nrec: it is empty" for name in "ac"]
    assert err.splitlines() == notes
    (tmp_path / "b.nrec").unlink()
    assert recorder.main(["list", str(tmp_path)]) == 1


def test_one_is_not_many(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "cut.nrec").write_bytes(Path(SAMPLE).read_bytes()[:-1])
    assert recorder.main(["info", str(tmp_path / "cut.nrec")]) == 0
    assert "\ndamage    1 place\n" in capsys.readouterr().out


def test_info(capsys: Output, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    golden("neuron-recorder/info.txt", printed(capsys, "info", "version-1.nrec"))
    golden("neuron-recorder/info.json", printed(capsys, "info", "version-1.nrec", "--json"))


def test_json_is_an_interval_a_line(capsys: Output, golden: Golden) -> None:
    out = printed(capsys, "dump", SAMPLE)
    found = [msgspec.json.decode(line, type=Interval) for line in out.splitlines()]
    expected = intervals()
    assert len(found) == len(expected) == 8
    for each, interval in zip(found, expected, strict=True):
        origin = msgspec.structs.replace(interval.head.origin, kind=RECORDING, detail="model")
        head = msgspec.structs.replace(interval.head, origin=origin)
        assert each == msgspec.structs.replace(interval, head=head, snapshot=None)
    golden("neuron-recorder/end.jsonl", printed(capsys, "dump", SAMPLE, "--from", "-2s", "--to=-0s"))


def test_csv_has_every_number_of_the_catalogue(capsys: Output, golden: Golden) -> None:
    out = printed(capsys, "dump", SAMPLE, "--format", "csv")
    header, *rows = out.splitlines()
    assert header == "time,metric,labels,value"
    assert {row.split(",")[0] for row in rows} == {format_time_ns(each.head.time_ns) for each in intervals()}
    assert {row.split(",")[1] for row in rows} <= BY_NAME.keys()
    golden("neuron-recorder/end.csv", printed(capsys, "dump", SAMPLE, "--format", "csv", "--from=-0s"))


def test_report_is_what_neuron_monitor_prints(capsys: Output, golden: Golden) -> None:
    lines = printed(capsys, "dump", SAMPLE, "--format", "report").splitlines()
    for line, interval in zip(lines, intervals(), strict=True):
        shown = whole(decode(line.encode()))
        assert shown.duration_ns == interval.duration_ns
        assert [process.executions for process in shown.processes] == [
            {"failed_to_queue": 0} | (process.executions or {}) for process in interval.processes
        ]
        assert shown.head.origin.simulated
    golden("neuron-recorder/report.jsonl", "\n".join([*lines[-2:], ""]))


def test_openmetrics_is_read_by_the_client_library(capsys: Output, golden: Golden, tmp_path: Path) -> None:
    every = printed(capsys, "dump", SAMPLE, "--format", "openmetrics")
    found = parsed_openmetrics(every)
    assert len({time for _, time in found}) == 8
    assert {name for (name, _), _ in found} <= {name for family in FAMILIES for name in family.sample_names}
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    matched = printed(capsys, "dump", SAMPLE, "--format", "openmetrics", "--match", str(rules))
    golden("neuron-recorder/matched.om", matched)
    assert parsed_openmetrics(matched).items() <= found.items()
    assert {name.partition("_bucket")[0] for (name, _), _ in parsed_openmetrics(matched)} >= {
        "hardware_ecc_events_total",
        "neuron_process_latency_seconds",
    }


def ends(capsys: Output, *options: str) -> list[int]:
    """How many seconds after the start each interval of a dump ends."""
    lines = printed(capsys, "dump", SAMPLE, *options).splitlines()
    first_ns = intervals()[0].head.time_ns - 2 * NS_PER_S
    return [(json.loads(line)["head"]["time_ns"] - first_ns) // NS_PER_S for line in lines]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), [2, 4, 6, 8, 10, 12, 14, 16]),
        (("--from", "-4s"), [12, 14, 16]),
        (("--from", "3s", "--to", "+8s"), [4, 6, 8]),
        (("--from", "0s", "--to", "2s"), [2]),
        (("--from=2026-01-05T00:00:09.5Z",), [10, 12, 14, 16]),
        (("--from", "2026-01-05 00:00:13"), [14, 16]),
        (("--to", "-13s"), [2]),
        (("--from", "-1d", "--to", "1d"), [2, 4, 6, 8, 10, 12, 14, 16]),
    ],
)
def test_a_span_of_time(capsys: Output, options: tuple[str, ...], expected: list[int]) -> None:
    assert ends(capsys, *options) == expected


WRONG: dict[str, tuple[tuple[str, ...], int]] = {
    "nothing": ((), 64),
    "no verb": (("dmup", "x.nrec"), 64),
    "no file": (("dump",), 64),
    "two files": (("info", "a", "b"), 64),
    "unknown option": (("list", ".", "--all"), 64),
    "no format": (("dump", SAMPLE, "--format", "xml"), 64),
    "no instant": (("dump", SAMPLE, "--from", "yesterday"), 64),
    "no duration": (("dump", SAMPLE, "--to", "-5"), 64),
    "no date": (("dump", SAMPLE, "--to", "2026-13-01"), 64),
    "rules without openmetrics": (("dump", SAMPLE, "--match", "rules.yml"), 64),
    "no rules file": (("dump", SAMPLE, "--format", "openmetrics", "--match", "missing.yml"), 64),
    "rules that are none": (("dump", SAMPLE, "--format", "openmetrics", "--match", "other.txt"), 64),
    "rules in no text": (("dump", SAMPLE, "--format", "openmetrics", "--match", SAMPLE), 64),
    "rules about others": (("dump", SAMPLE, "--format", "openmetrics", "--match", "others.yml"), 64),
    "missing": (("dump", "missing.nrec"), 1),
    "a directory": (("info", "empty"), 1),
    "an empty directory": (("list", "empty"), 1),
    "an empty file": (("dump", "empty.nrec"), 1),
    "another file": (("dump", "other.txt"), 1),
    "no interval": (("dump", SAMPLE, "--from", "3s", "--to", "3s"), 1),
    "before the start": (("dump", SAMPLE, "--to", "2020-01-01"), 1),
}


def test_what_is_wrong_is_said(capsys: Output, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.nrec").touch()
    (tmp_path / "other.txt").write_text("hello: [")
    (tmp_path / "others.yml").write_text("groups: [{rules: [{expr: up == 0}]}]")
    told = []
    for words, code in WRONG.values():
        assert recorder.main(words) == code, words
        out, err = capsys.readouterr()
        assert out == ""
        told.append(f"$ neuron-recorder {' '.join(words)}\n{err}".replace(SAMPLE, "sample.nrec"))
    golden("neuron-recorder/usage.txt", "\n".join(told))


def test_damage_is_said_and_the_rest_is_printed(
    capsys: Output, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Recording(SAMPLE) as recording:
        second = recording.blocks[1]
    data = bytearray((DATA / "version-1.nrec").read_bytes())
    data[(second.offset + second.stop) // 2] ^= 1
    path = Path("damaged.nrec")
    path.write_bytes(data[:-1])
    told = []
    for words in (("dump", "--from", "0s"), ("list",), ("info",), ("info", "--json")):
        assert recorder.main([words[0], str(path), *words[1:]]) == 0
        out, err = capsys.readouterr()
        told.append(f"$ {' '.join(words)}\n{out if words[0] != 'dump' else f'{len(out.splitlines())} lines'}\n{err}")
    golden("neuron-recorder/damaged.txt", "\n".join(told))


def test_a_disk_that_is_full_is_said(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurontools.exporters.prometheus.history.tempfile.TemporaryFile", full)
    assert recorder.main(["dump", SAMPLE, "--format", "openmetrics"]) == errors.EXIT_FAILURE
    out, err = capsys.readouterr()
    assert out == ""
    said = "cannot keep the numbers on disk, where TMPDIR says: No space left on device"
    assert err == f"neuron-recorder: {said}\n"


def test_a_file_that_cannot_be_read_on_is_said(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    pread = os.pread

    def failing(fd: int, count: int, offset: int) -> bytes:
        calls.append(offset)
        if len(calls) > 40:
            raise OSError(5, "Input/output error")
        return pread(fd, count, offset)

    monkeypatch.setattr(os, "pread", failing)
    assert recorder.main(["dump", SAMPLE, "--format", "csv"]) == errors.EXIT_FAILURE
    assert capsys.readouterr().err.endswith(f"neuron-recorder: cannot read {SAMPLE}: Input/output error\n")
