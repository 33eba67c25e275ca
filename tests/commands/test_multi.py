"""The neutral name: it hands the rest of its words to the tool that the first one names."""

import re
from importlib import import_module

import pytest

from neurontools.commands import errors, multi


def test_a_tool_runs_with_the_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert multi.main(["ls", "--badflag"]) == 1
    assert capsys.readouterr() == ("unknown flag `badflag'\n", "")


@pytest.mark.parametrize("words", [[], ["lsx"], ["--bad"], ["--source", "ls"]])
def test_other_words_are_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert multi.main(words) == errors.EXIT_USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"neurontools: [^\n]*\bls\b[^\n]*\n", err)


def test_a_slip_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert multi.main(["mointor"]) == errors.EXIT_USAGE
    assert "there is no tool 'mointor' (did you mean 'monitor'?); there is: " in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert [multi.main([word]) for word in ("--help", "-h", "--version")] == [0, 0, 0]
    out = capsys.readouterr().out
    assert "  ls " in out
    assert "\nExamples:\n  neurontools " in out
    assert re.search(r"^neurontools (\d+\.\d+\.\d+|unknown)$", out, re.MULTILINE)


@pytest.mark.parametrize("module", [module for module, _ in multi._COMMANDS.values()])
def test_every_tool_that_it_offers_is_there(module: str) -> None:
    assert callable(import_module(module).main)
