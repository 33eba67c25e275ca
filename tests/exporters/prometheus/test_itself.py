"""The exporter's own series are those of Prometheus' client library, and of the captured page of AWS's script."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from neurontools.exporters.prometheus.itself import itself_text
from tests.exporters.prometheus.shown import parsed


def heads(text: str) -> set[str]:
    return {line.replace("Uncollectable objects", "Uncollectable object") for line in text.splitlines() if "# " in line}


def names(text: str) -> set[str]:
    return {re.sub(r'="[^"]*"', "", line).rpartition(" ")[0] for line in text.splitlines() if "# " not in line}


def test_they_are_those_of_the_library() -> None:
    ours, theirs = itself_text(), generate_latest().decode()
    assert heads(ours) == heads(theirs) and names(ours) == names(theirs)
    mine, library = parsed(ours), parsed(theirs)
    assert mine.keys() == library.keys()
    for name in ("process_start_time_seconds", "process_max_fds"):
        assert mine[name, ()] == pytest.approx(library[name, ()], abs=0.02)
    assert 0.2 < mine["process_resident_memory_bytes", ()] / library["process_resident_memory_bytes", ()] < 5


def test_they_are_those_of_the_captured_page(captures: Path) -> None:
    captured = (captures / "prometheus.inf1.xlarge.busy.2023-02.txt").read_text()
    of_script = "".join(line for line in captured.splitlines(True) if re.match(r"(# \w+ )?(python|process)_", line))
    assert heads(itself_text()) == heads(of_script) and names(itself_text()) == names(of_script)


def test_without_proc_only_the_interpreter_is_told(tmp_path: Path) -> None:
    text = itself_text(str(tmp_path))
    assert "process_" not in text and "python_info" in text
