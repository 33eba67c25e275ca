"""One owner of error lines and exit codes: what each kind of error says, where, and how the command ends."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from neurontools.commands import errors
from neurontools.commands.flags import FlagError
from neurontools.schema.source import SourceError
from neurontools.sources.choose import SpecError


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


# Error, exit code, stdout and stderr of a tool of AWS's; then exit code, stdout and stderr of one of ours.
CASES = {
    "flag": (FlagError("unknown flag `x'"), (1, "unknown flag `x'\n", ""), (64, "", "tool: unknown flag `x'\n")),
    "source name": (SpecError("no such"), (1, "", "neuron-ls: no such\n"), (64, "", "tool: no such\n")),
    "usage": (errors.UsageError("no"), (1, "", "neuron-ls: no\n"), (64, "", "tool: no\n")),
    "output": (errors.OutputError("full"), (1, "", "neuron-ls: full\n"), (1, "", "tool: full\n")),
    "interrupt": (KeyboardInterrupt(), (130, "", ""), (130, "", "")),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_become_lines(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    error, official, own = CASES[case]
    for name, expected in (("neuron-ls", official), ("tool", own)):
        code = errors.run(name, raising(error))
        assert (code, *capsys.readouterr()) == expected


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.run("neuron-ls", lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("hint", "lines"), [("", 1), ("do that", 2)])
def test_a_source_s_error_is_aws_s_line_and_a_hint(hint: str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.run("neuron-ls", raising(SourceError('a "quoted" \\ reason', hint))) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=fatal msg="Failed to load MLA system information" '
        r'error="a \\"quoted\\" \\\\ reason"',
        err.splitlines()[0],
    )
    assert err.splitlines()[1:] == ["neuron-ls: do that"][: lines - 1]


def test_our_own_tools_say_it_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.run("neuron-doctor", raising(SourceError("gone", "start it"))) == 1
    assert capsys.readouterr() == ("", "neuron-doctor: gone\nneuron-doctor: start it\n")


def test_a_working_directory_that_was_removed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert errors.run("neuron-top", lambda: print(os.path.abspath("tree"))) == 1
    expected = "neuron-top: the working directory does not exist any more: change to another\n"
    assert capsys.readouterr() == ("", expected)


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.run("neuron-ls", raising(ZeroDivisionError()))


@pytest.mark.parametrize(
    ("encoding", "written"), [("utf-8", "a►é\n".encode()), ("latin-1", b"a>\xe9\n"), ("ascii", b"a>?\n")]
)
def test_what_the_terminal_cannot_show(encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    errors.write("a►é\n", lambda text: text.replace("►", ">"))
    assert raw.getvalue() == written


def test_a_closed_stdout_is_an_error_and_a_closed_stderr_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert errors.run("neuron-ls", lambda: errors.write("text")) == 1
