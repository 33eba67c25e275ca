"""The device model has one clock and keyed chance: real time and global randomness stay outside it."""

import ast
from pathlib import Path

import pytest

from tests.contracts.tree import ROOT, modules, parsed, place

# Real time, shared randomness, and str's hash, which differs from one interpreter to the next.
BANNED_MODULES = frozenset({"time", "random", "secrets"})
BANNED_NAMES = frozenset(
    {
        *(f"datetime.{name}" for name in ("now", "utcnow", "today")),
        "date.today",
        *(f"uuid.{name}" for name in ("uuid1", "uuid4")),
        *(f"os.{name}" for name in ("urandom", "getrandom", "times")),
        "hash",
    }
)

# Where the real world is let in, and why.
ALLOWED = {
    "device_model/daemon.py": "the only loop: it turns real time into the model's",
    "device_model/commands": "the client side: it waits for a daemon and is never part of the model",
    "device_model/commands/launch.py": "client side: waits for a daemon to start and to end",
    "device_model/commands/status.py": "client side: prints a line a second",
    "device_model/commands/verbs.py": "client side: waits for a daemon to end",
    "device_model/testing": "client side, in pytest: it waits for daemons to start and to end",
}


def dotted_name(node: ast.expr) -> str:
    """The last two parts of a name as it is written: `datetime.now` for `datetime.datetime.now`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted_name(node.value).rpartition(".")[2]
        return f"{owner}.{node.attr}"
    return ""


def imported(node: ast.AST) -> list[str]:
    """What an import statement brings in: whole modules, and for `from x import y` also `x.y`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        module = node.module or ""
        return [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return []


def breaches(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, name) of every banned import and every use of a banned name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted_name(node)
            found += [(node.lineno, name)] * (name in BANNED_NAMES)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = imported(node)
            found += [(node.lineno, name) for name in names if name in BANNED_MODULES or name in BANNED_NAMES]
    return found


def test_the_device_model_reads_no_clock_and_draws_no_global_chance() -> None:
    names = {path: path.relative_to(ROOT) for path in modules("device_model")}
    paths = [path for path, name in names.items() if not any(name.is_relative_to(allowed) for allowed in ALLOWED)]
    assert paths
    found = [f"{place(path, line)} {name}" for path in paths for line, name in breaches(parsed(path))]
    assert not found


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import time", "time"),
        ("import random as dice", "random"),
        ("from time import monotonic_ns", "time"),
        ("from secrets import token_hex", "secrets"),
        ("import datetime\ndatetime.datetime.now()", "datetime.now"),
        ("from datetime import datetime\nclock = datetime.utcnow", "datetime.utcnow"),
        ("from datetime import date\ndate.today()", "date.today"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
        ("from uuid import uuid1", "uuid.uuid1"),
        ("import os\nos.urandom(8)", "os.urandom"),
        ("key = hash('core 3')", "hash"),
    ],
)
def test_every_way_in_is_noticed(source: str, name: str) -> None:
    assert name in [found for _, found in breaches(ast.parse(source))]


@pytest.mark.parametrize(
    "source", ["from datetime import timedelta", "self.time = clock.now()", "digest.hash(x)", "from .time import x"]
)
def test_names_that_only_look_alike_are_left_alone(source: str) -> None:
    assert breaches(ast.parse(source)) == []


@pytest.mark.parametrize("name", ALLOWED)
def test_an_exception_is_for_a_part_of_the_device_model(name: str) -> None:
    assert (ROOT / name).exists()
    assert Path(name).parts[0] == "device_model"
    assert len(ALLOWED[name]) > 20
