"""neuron-monitor as programs run it: a real process, a real socket, pipes that close, signals, a host that reboots."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from neurontools.commands import monitor, source_flags
from neurontools.exporters.report import GROUPS, decode, encode
from neurontools.sources.choose import choose
from tests.commands.host import PAST_S, TickingHost
from tests.conftest import ROOT, Golden
from tests.sources.server import socket_path

DEAR = {"pydantic", "textual", "rich", "boto3", "psutil", "asyncio", "dataclasses"}
SOON_S = 60
"""Far more than anything here takes, far less than a test run that hangs."""

# The editable install's finder loads pathlib before anything else; without -S it would hide what is loaded later.
ENTRY = "import sys; sys.path[:0] = {paths!r}; from neurontools.commands.monitor import entry; {after}"
LOGFMT = re.compile(r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=(\w+) msg="((?:[^"\\]|\\.)*)"')


def command(*words: str, after: str = "sys.exit(entry())") -> list[str]:
    paths = [str(ROOT), sysconfig.get_path("purelib")]
    return [sys.executable, "-I", "-S", "-c", ENTRY.format(paths=paths, after=after), *words]


def run(host: TickingHost, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command("--source", f"model:{host.path}", *words), capture_output=True, check=False, timeout=SOON_S
    )


@contextmanager
def running(host: TickingHost, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command("--source", f"model:{host.path}", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def every(tmp_path: Path) -> list[str]:
    """The options for all groups at a period of 50 ms."""
    (tmp_path / "fast.json").write_text('{"period": "50ms"}')
    return ["-c", str(tmp_path / "fast.json")]


def stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate(timeout=SOON_S)
    return process.returncode, out, err


def groups(document: Any) -> dict[str, Any]:
    found: dict[str, Any] = dict(document["system_data"])
    for runtime in document["neuron_runtime_data"]:
        found |= runtime["report"]
    return found


def test_one_document(host: TickingHost, golden: Golden) -> None:
    result = run(host, "--once", "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.count(b"\n") == 1 and result.stdout.endswith(b"}\n")
    assert set(groups(json.loads(result.stdout))) == set(GROUPS)
    golden("neuron-monitor/once.jsonl", result.stdout.decode())


def test_documents_follow_each_other_without_a_gap(host: TickingHost, every: list[str]) -> None:
    result = run(host, "--count", "4", *every)
    assert (result.returncode, result.stderr) == (0, b"")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    periods = [{group["period"] for group in groups(document).values()} for document in documents]
    assert periods == [{PAST_S + 1}, {1}, {1}, {1}]
    assert all(encode(decode(line)) == line for line in result.stdout.splitlines())


def test_the_first_document_comes_at_once_and_the_second_a_period_later(host: TickingHost, tmp_path: Path) -> None:
    """In a period of an hour the first one comes soon, and the second one does not."""
    (tmp_path / "c").write_text('{"period": "1h"}')
    with running(host, "-c", str(tmp_path / "c")) as process:
        assert json.loads(stdout(process).readline())["neuron_runtime_data"]
        assert select.select([stdout(process)], [], [], 0.5)[0] == []


@pytest.mark.slow
def test_without_a_past_the_first_document_takes_a_second() -> None:
    with socket_path() as path:
        host = TickingHost(path, has_past=False)
        host.boot("first")
        result = run(host, "--once")
        host.stop()
    assert {group["period"] for group in groups(json.loads(result.stdout)).values()} == {1}


def test_only_groups_that_are_due_are_in_a_document(host: TickingHost, tmp_path: Path) -> None:
    metrics = [{"type": "neuroncore_counters"}, {"type": "memory_used", "period": "1h"}]
    (tmp_path / "c").write_text(
        json.dumps(
            {
                "period": "50ms",
                "neuron_runtimes": [{"tag_filter": "^nobody$", "metrics": metrics[1:]}, {"metrics": metrics}],
                "system_metrics": [{"type": "memory_info"}],
            }
        )
    )
    first, *rest = run(host, "--count", "3", "-c", str(tmp_path / "c")).stdout.splitlines()
    assert set(groups(json.loads(first))) == {"neuroncore_counters", "memory_used", "memory_info"}
    assert [set(groups(json.loads(line))) for line in rest] == [{"neuroncore_counters", "memory_info"}] * 2


def test_a_tag_filter_leaves_processes_out(host: TickingHost, tmp_path: Path) -> None:
    (tmp_path / "c").write_text('{"neuron_runtimes": [{"tag_filter": "^nobody$"}]}')
    assert json.loads(run(host, "--once", "-c", str(tmp_path / "c")).stdout)["neuron_runtime_data"] == []


def test_the_default_has_no_key_of_ours(host: TickingHost, tmp_path: Path) -> None:
    (tmp_path / "c").write_text('{"extended": true}')
    plain, flag, file = (run(host, "--once", *w) for w in ((), ("--extended",), ("-c", str(tmp_path / "c"))))
    official = ["neuron_runtime_data", "system_data", "instance_info", "neuron_hardware_info"]
    assert list(json.loads(plain.stdout)) == official
    for result in (flag, file):
        assert list(json.loads(result.stdout)) == [*official, "neurontools"]
        assert json.loads(result.stdout)["neurontools"]["workloads"]


def test_a_reader_that_has_seen_enough_ends_it_while_it_sleeps(host: TickingHost, tmp_path: Path) -> None:
    (tmp_path / "c").write_text('{"period": "1h"}')
    with running(host, "-c", str(tmp_path / "c")) as process:
        assert stdout(process).readline()
        stdout(process).close()
        assert process.wait(SOON_S) == 141
        assert process.stderr is not None and process.stderr.read() == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it(number: int, code: int, host: TickingHost, every: list[str]) -> None:
    with running(host, *every) as process:
        assert stdout(process).readline()
        process.send_signal(number)
        returncode, out, err = ended(process)
    assert (returncode, err) == (code, b"")
    assert out == b"" or out.endswith(b"}\n")


def test_a_signal_ends_it_although_the_reader_takes_nothing(host: TickingHost, every: list[str]) -> None:
    with running(host, *every) as process:
        fcntl.fcntl(stdout(process), fcntl.F_SETPIPE_SZ, 4096)
        assert select.select([stdout(process)], [], [], SOON_S)[0]
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON_S) == 143
        assert process.stderr is not None and process.stderr.read() == b""


def test_a_host_that_goes_away_and_is_booted_again(host: TickingHost, every: list[str]) -> None:
    with running(host, *every, "--verbose", "1") as process:
        before = json.loads(stdout(process).readline())
        host.stop()
        lost = _first_with_errors(process)
        host.boot("second")
        while json.loads(back := stdout(process).readline())["neuron_hardware_info"]["error"]:
            pass
        process.send_signal(signal.SIGTERM)
        _, _, err = ended(process)
    _check_lost(lost, before)
    assert {group["period"] for group in groups(json.loads(back)).values()} == {PAST_S}
    assert [match[1] for match in LOGFMT.findall(err.decode())][1:] == ["the source is back"]


def _first_with_errors(process: subprocess.Popen[bytes]) -> Any:
    while not (document := json.loads(stdout(process).readline()))["neuron_hardware_info"]["error"]:
        pass
    return document


def _check_lost(lost: Any, before: Any) -> None:
    reason = lost["neuron_hardware_info"]["error"]
    assert reason.startswith("cannot read the device model")
    assert {part["error"] for part in lost["system_data"].values()} == {reason}
    assert [(runtime["error"], runtime["report"]) for runtime in lost["neuron_runtime_data"]] == [(reason, {})]
    assert [runtime["pid"] for runtime in lost["neuron_runtime_data"]] == [
        runtime["pid"] for runtime in before["neuron_runtime_data"]
    ]
    assert lost["instance_info"] == before["instance_info"]


def test_it_says_more_when_asked(host: TickingHost, every: list[str]) -> None:
    result = run(host, "--count", "2", "--verbose", "4", *every)
    said = result.stderr.decode().splitlines()
    assert len(said) == 3 and all(LOGFMT.fullmatch(line) for line in said)
    assert "document 1: 7 groups" in said[0] and "next document in" in said[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--badflag"], "unknown flag `badflag'"),
        (["--count", "0"], "invalid argument for flag `--count': expected a number from 1 on, got '0'"),
        (["--count", "9" * 5000], "invalid argument for flag `--count': expected a number from 1 on, got '999"),
        (["--verbose=5"], "invalid argument for flag `--verbose': expected a number from 0 to 4, got '5'"),
        (["-c"], "expected argument for flag `-c, --config-file'"),
        (["-c", "/none"], "cannot read the configuration /none: No such file or directory"),
        (["--source", "sysf"], "cannot read the source 'sysf'"),
    ],
)
def test_a_usage_error_is_one_line_on_stderr(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert monitor.main(words) == 1
    out, err = capfd.readouterr()
    match = LOGFMT.fullmatch(err.removesuffix("\n"))
    assert match is not None and out == ""
    assert match[1] == "fatal" and json.loads(f'"{match[2]}"').startswith(said)


def test_no_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(source_flags, "choose", lambda spec, environ, place: choose(spec, environ, str(tmp_path)))
    assert monitor.main([]) == 1
    out, err = capfd.readouterr()
    fatal, *hints = err.splitlines()
    assert out == ""
    assert fatal.endswith(
        'level=fatal msg="Failed to load MLA system information" error="failed to discover Neuron devices"'
    )
    assert len(hints) == 1 and hints[0].startswith("neuron-monitor: ")


def test_a_model_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with socket_path() as path:
        assert monitor.main(["--source", f"model:{path}"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert path in err.splitlines()[0] and err.splitlines()[1:] == [
        "neuron-monitor: start one with: neuron-model start"
    ]


def test_a_full_disk(host: TickingHost) -> None:
    words = command("--source", f"model:{host.path}", "--once")
    with open("/dev/full", "wb") as full:
        result = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"neuron-monitor: cannot write the output: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, said)


def test_help_with_examples(golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    assert monitor.main(["--help"]) == 0
    golden("neuron-monitor/help.txt", capsys.readouterr().out)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert monitor.main(["--version"]) == 0
    assert re.fullmatch(r"neuron-monitor (\d+\.\d+\.\d+|unknown) \(neurontools\)\n", capsys.readouterr().out)


def test_it_loads_nothing_dear(host: TickingHost) -> None:
    after = "assert entry() == 0; print(*sys.modules, file=sys.stderr)"
    words = command("--once", "--source", f"model:{host.path}", after=after)
    process = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"})
    loaded = {name.partition(".")[0] for name in process.stderr.split()}
    assert "neurontools" in loaded
    assert not loaded & DEAR
