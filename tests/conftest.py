"""What every test shares: hypothesis tiers, golden files, real captures, a neutral environment, the ban on skips."""

import difflib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
SPECIFICATION = ROOT.parent / "shared"
ABSENT = "not at hand: "

Golden = Callable[[str, str], None]

# What the caller's shell may hold and what would change a tool's output or let a test find the caller's own model.
NOISE = ("NEURONTOOLS_SOURCE", "XDG_RUNTIME_DIR", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PAGER")

# A deadline per example only measures how busy the machine is, so no tier has one.
hypothesis.settings.register_profile("quick", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile("full", max_examples=200, derandomize=True, deadline=None)
hypothesis.settings.register_profile("nightly", max_examples=5000, print_blob=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

for _name in NOISE:
    os.environ.pop(_name, None)
os.environ["XDG_CONFIG_HOME"] = str(ROOT / "build" / "no-settings")
os.environ["TZ"] = "UTC"
time.tzset()

# A shell starts what it puts into the background with these ignored, and the programs under test would inherit that.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


def writing_goldens() -> bool:
    """Whether this run renews the golden files instead of comparing with them."""
    return os.environ.get("NEURONTOOLS_GOLDEN") == "write"


def compare_golden(name: str, text: str) -> None:
    """Compare `text`, byte for byte, with tests/golden/`name`; when goldens are being written, write it there.

    A missing file and a difference both fail the test, the difference as a unified diff.
    """
    path = GOLDEN / name
    if writing_goldens():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return
    if not path.is_file():
        pytest.fail(f"tests/golden/{name} does not exist; `make golden` writes it, then read it before you commit")
    expected = path.read_bytes().decode()
    if text != expected:
        lines = difflib.unified_diff(
            expected.splitlines(), text.splitlines(), f"tests/golden/{name}", "what the test produced", lineterm=""
        )
        diff = "\n".join(lines) or "only line endings or the last newline differ"
        pytest.fail(f"{diff}\n\nIf the new text is right, `make golden` renews the file.", pytrace=False)


@pytest.fixture
def golden() -> Golden:
    """The comparison with a golden file: `golden(name, text)`, see compare_golden."""
    return compare_golden


def _specification(folder: str) -> Path:
    path = SPECIFICATION / folder
    if not path.is_dir():
        pytest.skip(f"{ABSENT}the {folder} are kept beside the repository, not in it")
    return path


@pytest.fixture(scope="session")
def captures() -> Path:
    """The directory of real tools' output; skips the test where it is absent."""
    return _specification("captures")


@pytest.fixture(scope="session")
def facts() -> Path:
    """The directory of collected facts, such as the lists of sysfs paths; skips the test where it is absent."""
    return _specification("facts")


LONGEST_FIRST = (
    "device_model/test_scenarios.py",
    "proof/",
    "clients/",
    "dashboards/test_end_to_end.py",
    "test_film.py",
    "dashboards/test_promtool.py",
    "commands/test_promtool.py",
    "contracts/test_sources_agree.py",
    "test_demo.py",
    "views/",
)
"""Modules that take long: begun last, one of them would run alone while the other worker has nothing to do."""


def begins_at(item: pytest.Item) -> int:
    """The place of a test's module in the order of modules; those that are not named come last, as they were."""
    name = item.path.relative_to(ROOT / "tests").as_posix() if item.path.is_relative_to(ROOT / "tests") else ""
    return next((place for place, begin in enumerate(LONGEST_FIRST) if name.startswith(begin)), len(LONGEST_FIRST))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the modules, and keep only the tests that own a golden file while goldens are being written."""
    items.sort(key=begins_at)
    if not writing_goldens():
        return
    owners: dict[bool, list[pytest.Item]] = {True: [], False: []}
    for item in items:
        owners["golden" in getattr(item, "fixturenames", ())].append(item)
    config.hook.pytest_deselected(items=owners[False])
    items[:] = owners[True]


def forbidden_skips(reporter: pytest.TerminalReporter) -> list[str]:
    """The reasons of skipped tests, other than absent captures or facts, when NEURONTOOLS_NO_SKIPS is set."""
    if not os.environ.get("NEURONTOOLS_NO_SKIPS"):
        return []
    details = (report.longrepr for report in reporter.stats.get("skipped", []))
    reasons = (str(detail[-1] if isinstance(detail, tuple) else detail) for detail in details)
    return [reason for reason in reasons if ABSENT not in reason]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which something was skipped that must not be; xdist's workers have no reporter and leave it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if isinstance(reporter, pytest.TerminalReporter) and exitstatus == pytest.ExitCode.OK and forbidden_skips(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skips made the run fail."""
    for reason in forbidden_skips(terminalreporter):
        terminalreporter.write_line(f"a skip is a failure in this run: {reason}", red=True)
