"""What is started, and what is not: AWS's tool with a configuration of every group, never one of our own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurontools.schema.source import SourceError
from neurontools.sources.aws import AwsSource, Command, producer
from neurontools.sources.aws.producer import is_ours
from neurontools.sources.aws.source import FIRST_LINE_NS
from neurontools.units import NS_PER_MS, NS_PER_S
from tests.device_model.daemons import wait_until
from tests.sources.aws.commands import LINES, script

OWN = [str(Path(sys.executable).parent / name) for name in ("neuron-monitor", "neuron-top", "neurontools")]


def refused(command: Command) -> SourceError:
    with pytest.raises(SourceError) as caught:
        AwsSource(command).inventory()
    return caught.value


@pytest.mark.parametrize("path", OWN)
def test_our_own_commands_are_refused(path: str) -> None:
    assert os.path.exists(path)
    error = refused(Command([path, "--source", "model"]))
    assert error.reason == f"{path} is this project's own neuron-monitor, not AWS's"
    assert "aws:/opt/aws/neuron/bin/neuron-monitor" in error.hint


def test_our_own_command_is_refused_where_path_or_a_link_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "neuron-monitor"
    link.symlink_to(OWN[0])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert str(link) in refused(Command(["neuron-monitor"])).reason
    assert str(link) in refused(Command((), str(link))).reason


def test_a_script_that_leads_to_our_own_command_is_refused(tmp_path: Path) -> None:
    assert is_ours(script(tmp_path, "exec neurontools monitor"))
    assert is_ours(script(tmp_path, "python3 -m neurontools.commands.monitor"))


def test_other_programs_are_not_ours(tmp_path: Path) -> None:
    assert not is_ours(script(tmp_path, "cat $LINES"))
    assert not is_ours(str(Path(sys.executable).parent / "neuron-model"))
    assert not is_ours(sys.executable)
    assert not is_ours(str(tmp_path))
    assert not is_ours(str(tmp_path / "nothing"))
    (tmp_path / "binary").write_bytes(b"\x7fELF" + b"neurontools.commands")
    assert not is_ours(str(tmp_path / "binary"))


def test_a_command_that_is_not_there_or_cannot_be_run(tmp_path: Path) -> None:
    missing = str(tmp_path / "neuron-monitor")
    assert refused(Command((), missing)).reason == f"cannot start AWS's neuron-monitor: there is no program {missing}"
    Path(missing).write_text("no program")
    assert "there is no program" in refused(Command((), missing)).reason
    Path(missing).chmod(0o755)
    assert refused(Command((), missing)).reason == f"cannot start {missing}: Exec format error"


def test_a_command_that_fails_before_it_begins_is_a_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved() -> None:
        raise MemoryError

    monkeypatch.setattr(producer, "_dying_with", lambda parent: starved)
    tool = script(tmp_path, "exec cat $LINES")
    assert refused(Command((), tool)).reason == f"cannot start {tool}: Exception occurred in preexec_fn."


@pytest.mark.parametrize(("period_ns", "text"), [(NS_PER_S, "1s"), (5 * NS_PER_S, "5s"), (NS_PER_MS, "500ms")])
def test_aws_s_own_tool_gets_a_configuration_with_every_group(tmp_path: Path, period_ns: int, text: str) -> None:
    kept = tmp_path / "kept.json"
    tool = script(tmp_path, f'[ "$1" = -c ] && cp "$2" {kept}; echo "$2" > {kept}.name; head -1 $LINES; exec sleep 60')
    source = AwsSource(Command((), tool))
    source.pace(period_ns)
    try:
        assert source.snapshot().head.origin.detail == tool
        config = json.loads(kept.read_text())
        name = Path(f"{kept}.name").read_text().strip()
        assert not os.path.exists(name)
    finally:
        source.close()
    assert config == {
        "period": text,
        "neuron_runtimes": [
            {
                "tag_filter": ".*",
                "metrics": [
                    {"type": "execution_stats"},
                    {"type": "memory_used"},
                    {"type": "neuron_runtime_vcpu_usage"},
                    {"type": "neuroncore_counters"},
                ],
            }
        ],
        "system_metrics": [{"type": "memory_info"}, {"type": "neuron_hw_counters"}, {"type": "vcpu_usage"}],
    }


def test_the_configuration_goes_also_when_the_tool_says_nothing(tmp_path: Path) -> None:
    name = tmp_path / "name"
    source = AwsSource(
        Command((), script(tmp_path, f'echo "$2" > {name}; exec sleep 60')), first_line_ns=200 * NS_PER_MS
    )
    with pytest.raises(SourceError):
        source.inventory()
    wait_until(lambda: name.exists() and name.read_text().endswith("\n"))
    source.close()
    assert not os.path.exists(name.read_text().strip())


def test_our_own_configuration_accepts_what_aws_s_tool_is_told(tmp_path: Path) -> None:
    from neurontools.commands.monitor_config import read_config
    from neurontools.sources.aws.producer import _write_config

    path = _write_config(1_500_000_000)
    try:
        plan = read_config(path)
    finally:
        os.unlink(path)
    assert set(plan.periods().values()) == {1_500_000_000}
    assert len(plan.periods()) == 7


def test_the_command_does_not_inherit_which_source_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setenv("NEURONTOOLS_SOURCE", "aws:something")
    source = AwsSource(Command([script(tmp_path, f'echo "[$NEURONTOOLS_SOURCE]" > {seen}; head -1 $LINES')]))
    source.inventory()
    source.close()
    assert seen.read_text() == "[]\n"


def neuron_ls(stdin: int | None = None, text: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """neuron-ls on a descriptor or on what is piped into it."""
    command = [sys.executable, "-c", "import sys; from neurontools.commands.ls import entry; sys.exit(entry())"]
    with subprocess.Popen(
        [*command, "--source", "aws:-"],
        stdin=subprocess.PIPE if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdout, stderr = process.communicate(text)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_lines_on_stdin_are_read() -> None:
    result = neuron_ls(text=LINES[0] + b"\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"inf2.24xlarge" in result.stdout


def test_a_file_on_stdin_may_end_without_a_newline(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(LINES[0])
    with open(tmp_path / "lines", "rb") as file:
        assert neuron_ls(file.fileno()).returncode == 0


def test_nothing_on_stdin_is_an_error_at_once() -> None:
    for given, words in (
        ({"stdin": subprocess.DEVNULL}, b"nothing is piped into stdin"),
        ({"text": b""}, b"the lines on stdin have ended"),
    ):
        began = time.monotonic()
        result = neuron_ls(**given)
        assert (result.returncode, result.stdout) == (1, b"")
        assert words in result.stderr
        assert time.monotonic() - began < FIRST_LINE_NS / NS_PER_S
