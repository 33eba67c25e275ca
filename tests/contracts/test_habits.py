"""The test suite's own machinery: warnings of our packages fail, goldens compare, the tiers are what they claim."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import hypothesis
import pytest

from benchmarks import timing
from tests import conftest
from tests.contracts.tree import ROOT


@pytest.mark.parametrize("module", ["neurontools", "neurontools.views.ls", "device_model.daemon", "tests.x"])
def test_a_warning_of_our_own_fails_the_test(module: str) -> None:
    with pytest.raises(DeprecationWarning, match="ours"):
        warnings.warn_explicit("ours", DeprecationWarning, "x.py", 1, module=module)


@pytest.mark.parametrize("module", ["neurontools_plugin", "textual.app", "my.neurontools"])
def test_a_warning_of_somebody_elses_does_not(module: str) -> None:
    with pytest.warns(DeprecationWarning, match="theirs"):
        warnings.warn_explicit("theirs", DeprecationWarning, "x.py", 1, module=module)


def test_goldens_compare_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "GOLDEN", tmp_path)
    monkeypatch.delenv("NEURONTOOLS_GOLDEN", raising=False)
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\r\n")
    conftest.compare_golden("a.txt", "one\ntwo\r\n")
    with pytest.raises(pytest.fail.Exception, match="only line endings"):
        conftest.compare_golden("a.txt", "one\ntwo\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-two.*\+three.*make golden"):
        conftest.compare_golden("a.txt", "one\nthree\n")
    with pytest.raises(pytest.fail.Exception, match="does not exist"):
        conftest.compare_golden("b.txt", "")


def test_goldens_are_written_on_request_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "GOLDEN", tmp_path)
    monkeypatch.setenv("NEURONTOOLS_GOLDEN", "write")
    conftest.compare_golden("ls/plain.txt", "é\r\n")
    monkeypatch.delenv("NEURONTOOLS_GOLDEN")
    conftest.compare_golden("ls/plain.txt", "é\r\n")
    assert (tmp_path / "ls" / "plain.txt").read_bytes() == "é\r\n".encode()


def test_the_tier_sets_the_number_of_examples() -> None:
    sizes = [hypothesis.settings.get_profile(name).max_examples for name in ("quick", "full", "nightly")]
    assert sizes == sorted(sizes)
    tier = os.environ.get("HYPOTHESIS_PROFILE", "quick")
    assert hypothesis.settings().max_examples == hypothesis.settings.get_profile(tier).max_examples


def run_with_two_skips(directory: Path, no_skips: str) -> subprocess.CompletedProcess[str]:
    """Run pytest, under the project's conftest, on one skip for an absent capture and one for another reason."""
    (directory / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (directory / "test_x.py").write_text(
        "import pytest\n"
        f"def test_absent() -> None: pytest.skip({conftest.ABSENT!r} + 'captures')\n"
        "def test_broken() -> None: pytest.skip('out of order')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    environment = os.environ | {"NEURONTOOLS_NO_SKIPS": no_skips, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_a_skip_fails_the_run_where_skips_are_banned(tmp_path: Path) -> None:
    result = run_with_two_skips(tmp_path, no_skips="1")
    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout + result.stderr
    blamed = [line for line in result.stdout.splitlines() if "a skip is a failure" in line]
    assert len(blamed) == 1
    assert "out of order" in blamed[0]


def test_a_skip_is_no_failure_elsewhere(tmp_path: Path) -> None:
    result = run_with_two_skips(tmp_path, no_skips="")
    assert result.returncode == pytest.ExitCode.OK, result.stdout + result.stderr
    assert "2 skipped" in result.stdout


def test_timing_measures_a_process_and_a_call() -> None:
    assert 0 < timing.process_seconds([sys.executable, "-I", "-S", "-c", ""], runs=2) < 60
    assert 0 < timing.call_seconds(lambda: sum(range(100)), rounds=3) < 1
    with pytest.raises(subprocess.CalledProcessError):
        timing.process_seconds([sys.executable, "-c", "raise SystemExit(3)"], runs=1)


def test_a_figure_says_whether_it_is_within_its_budget() -> None:
    figures = [timing.Figure("snapshot", 4.0, "ms", 5.0), timing.Figure("scrape", 12.0, "ms", 10.0)]
    within, over = timing.table(figures).splitlines()[1:]
    assert within.endswith("within")
    assert over.endswith("OVER")
    assert timing.table([timing.Figure("rate", None, "MI")]).splitlines()[1].split()[1] == "n/a"
