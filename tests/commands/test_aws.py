"""The tools on the lines of AWS's neuron-monitor: a real command that prints them, and lines that are piped in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.commands.test_top import Terminal
from tests.conftest import Golden
from tests.device_model.daemons import await_end
from tests.sources.aws.commands import LINES, script
from tests.sources.aws.feeds import changed
from tests.sources.aws.test_round_trip import check_same

ONCE = "head -1 $LINES; exec sleep 60"


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; from neurontools.commands.{name} import entry; sys.exit(entry())"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def documents(result: subprocess.CompletedProcess[str]) -> list[Any]:
    assert (result.stderr, result.returncode) == ("", 0)
    return [json.loads(line) for line in result.stdout.splitlines()]


def every(directory: Path, period: str) -> Path:
    """A configuration of all groups in one period."""
    (directory / "every.json").write_text(json.dumps({"period": period}))
    return directory / "every.json"


def test_neuron_monitor_prints_the_line_again(tmp_path: Path) -> None:
    result = tool("monitor", "--once", "--source", f"aws:{script(tmp_path, ONCE)}")
    (_,) = documents(result)
    check_same(LINES[0], result.stdout.encode())


@pytest.mark.slow
def test_neuron_monitor_follows_the_lines(tmp_path: Path) -> None:
    """Lines of half a second each, and documents as often."""
    each = 'printf "%s\\n" "$line" | sed "s/:5,/:0.5,/g"; sleep 0.5'
    command = script(tmp_path, f"while :; do while read -r line; do {each}; done < $LINES; done")
    words = ("--source", f"aws:{command}", "--count", "4", "-c", str(every(tmp_path, "500ms")))
    found = documents(tool("monitor", *words))
    runtimes = [document["neuron_runtime_data"] for document in found]
    assert len(found) == 4
    # On a busy machine a line may come too late for one document, whose groups say so.
    errors = [listed[0]["report"]["execution_stats"]["error"] for listed in runtimes]
    assert set(errors) <= {"", "both readings are of the same instant"}
    assert errors.count("") >= 2
    expected = {json.loads(line)["neuron_runtime_data"][0]["pid"] for line in LINES}
    assert {listed[0]["pid"] for listed in runtimes} == expected


@pytest.mark.slow
def test_neuron_monitor_says_in_the_document_when_the_command_has_died(tmp_path: Path) -> None:
    command = script(tmp_path, "head -1 $LINES; sleep 0.3; echo 'out of memory' >&2; exit 5")
    (tmp_path / "fast.json").write_text('{"period": "500ms"}')
    *_, last = documents(
        tool("monitor", "--count", "6", "-c", str(tmp_path / "fast.json"), "--source", f"aws:{command}")
    )
    assert "has ended with exit code 5: out of memory" in last["system_data"]["memory_info"]["error"]


def test_an_error_of_a_group_comes_through(tmp_path: Path) -> None:
    def fail(document: Any) -> None:
        document["neuron_runtime_data"][0]["report"]["memory_used"] = {"error": "no memory counters"}

    lines = tmp_path / "failing.jsonl"
    lines.write_bytes(changed(LINES[0], fail) + b"\n")
    (document,) = documents(tool("monitor", "--once", "--source", f"aws:cat {lines}"))
    first, *others = document["neuron_runtime_data"]
    assert first["report"]["memory_used"]["error"] == "no memory counters"
    assert [other["report"]["memory_used"]["error"] for other in others] == [""] * len(others)
    result = tool("top", "--once", "--source", f"aws:cat {lines}")
    assert (result.stderr, result.returncode) == ("", 0)
    assert "no memory counters" in result.stdout


def test_neuron_top_where_a_vcpu_share_is_unknown(tmp_path: Path) -> None:
    def fail(document: Any) -> None:
        for runtime in document["neuron_runtime_data"]:
            runtime["report"]["neuron_runtime_vcpu_usage"] = {"error": "no such file"}

    lines = tmp_path / "failing.jsonl"
    lines.write_bytes(changed(LINES[0], fail) + b"\n")
    result = tool("top", "--once", "--source", f"aws:cat {lines}")
    assert (result.stderr, result.returncode) == ("", 0)
    assert "no such file" in result.stdout


def test_neuron_top_once(tmp_path: Path, golden: Golden) -> None:
    result = tool("top", "--once", "--source", f"aws:{script(tmp_path, ONCE)}")
    assert (result.stderr, result.returncode) == ("", 0)
    release = tool("top", "--version").stdout.split()[1]
    golden("neuron-top/once.aws.two-tenants.inf2.24xlarge.txt", result.stdout.replace(release, "x.y.z", 1))


def test_neuron_ls(tmp_path: Path, golden: Golden) -> None:
    source = ("--source", f"aws:{script(tmp_path, ONCE)}")
    table, document = tool("ls", *source), tool("ls", "-j", *source)
    assert [table.stderr, document.stderr] == ["", ""]
    golden("neuron-ls/aws.two-tenants.inf2.24xlarge.txt", f"{table.stdout}{document.stdout}\n")


def test_lines_that_are_piped_into_neuron_monitor() -> None:
    code = "import sys; from neurontools.commands.monitor import entry; sys.exit(entry())"
    result = subprocess.run(
        [sys.executable, "-c", code, "--once", "--source", "aws:-"], input=LINES[0], capture_output=True, check=False
    )
    assert (result.stderr, result.returncode) == (b"", 0)
    check_same(LINES[0], result.stdout)


@pytest.mark.slow
def test_lines_that_are_piped_into_neuron_top_leave_it_the_keyboard() -> None:
    lines_fd, write_fd = os.pipe()
    stop = threading.Event()

    def feed() -> None:
        while not stop.is_set():
            os.write(write_fd, LINES[0] + b"\n")
            stop.wait(0.3)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        terminal = Terminal("--source", "aws:-", stdin=lines_fd)
        terminal.wait_for(b"arrows:")
        os.write(terminal.descriptor, b"f")
        terminal.wait_for(b"TFLOPS")
        os.write(terminal.descriptor, b"q")
        assert terminal.end() == 0
    finally:
        stop.set()
        feeder.join()
        os.close(lines_fd)
        os.close(write_fd)


def test_a_tool_that_is_killed_leaves_no_command(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = script(tmp_path, f"echo $$ > {pids}; head -1 $LINES; exec sleep 60")
    code = "import sys; from neurontools.commands.monitor import entry; sys.exit(entry())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--source", f"aws:{command}"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.terminate()
        assert process.wait() == 128 + 15
    pid = int(pids.read_text())
    await_end(pid)


@pytest.mark.parametrize("name", ["ls", "monitor", "top"])
def test_a_failure_is_a_line_and_no_traceback(name: str, tmp_path: Path) -> None:
    words = {"ls": [], "monitor": ["--once"], "top": ["--once"]}[name]
    result = tool(name, *words, "--source", f"aws:{script(tmp_path, 'echo no driver >&2; exit 1')}")
    assert (result.returncode, result.stdout) == (1, "")
    assert "has ended with exit code 1: no driver" in result.stderr
    assert "Traceback" not in result.stderr
