"""The house rules that a reader would otherwise have to check by eye."""

import ast
import re
from pathlib import Path

import pytest

from tests.contracts.tree import PACKAGES, ROOT, Function, functions, modules, parsed, place, project_files

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50
SOURCES = {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ""}

# Spelled in pieces, or this file would break its own rules.
LEFT_FOR_LATER = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "Not" + "ImplementedError")) + r")\b"
)
SOMEBODYS_DIRECTORY = re.compile(
    "|".join((r"/(?:home|Users)/[a-z]\w*/", "/ro" + "ot/", "/wo" + "rk/", "/work" + "space/"))
)
# Directories that AWS's images and other people's captures contain.
KNOWN_DIRECTORIES = re.compile(r"/home/(?:ubuntu|ec2-user)/")

ASSERTING_CALL = re.compile(r"(^|[._])(raises|warns|fail|golden|assert|check|expect)", re.IGNORECASE)


def asserts_something(function: Function) -> bool:
    """Whether a test holds an assert statement or calls a helper whose name says that it asserts."""
    return any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and ASSERTING_CALL.search(ast.unparse(node.func)))
        for node in ast.walk(function)
    )


def texts() -> list[tuple[Path, str]]:
    """Every text file that people write, with its content; golden files and data are machines' work."""
    paths = [path for path in project_files() if path.suffix in SOURCES and "golden" not in path.parts]
    return [(path, path.read_text(errors="replace")) for path in paths]


def matches(pattern: re.Pattern[str]) -> list[str]:
    lines = ((path, n, line) for path, text in texts() for n, line in enumerate(text.splitlines(), 1))
    return [place(path, n) for path, n, line in lines if pattern.search(KNOWN_DIRECTORIES.sub("", line))]


def test_every_module_says_in_one_sentence_what_it_owns() -> None:
    trees = {path: parsed(path) for path in modules(*PACKAGES)}
    wordless = [
        place(path)
        for path, tree in trees.items()
        if tree.body and not re.match(r"\S[^\n]*[.:!?](\s|$)", ast.get_docstring(tree) or "")
    ]
    assert not wordless


def test_files_can_be_read_in_a_sitting() -> None:
    sizes = {place(path): path.read_text().count("\n") for path in modules(*PACKAGES)}
    assert not {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_FILE}


def test_functions_fit_on_a_page() -> None:
    long = [
        f"{place(path, function.lineno)} {function.name}"
        for path in modules(*PACKAGES)
        for function in functions(parsed(path))
        if (function.end_lineno or 0) - function.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long


def test_nothing_is_left_for_later() -> None:
    assert not matches(LEFT_FOR_LATER)


def test_no_file_names_a_directory_of_somebodys_machine() -> None:
    assert not matches(SOMEBODYS_DIRECTORY)
    assert not [place(path) for path, text in texts() if str(ROOT) in text]


def test_every_test_asserts_something() -> None:
    hollow = [
        f"{place(path, function.lineno)} {function.name}"
        for path in modules("tests")
        for function in functions(parsed(path))
        if function.name.startswith("test_") and not asserts_something(function)
    ]
    assert not hollow


def test_packages_are_typed() -> None:
    assert [name for name in ("neurontools", "device_model") if not (ROOT / name / "py.typed").is_file()] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert x", True),
        ("with pytest.raises(ValueError): f()", True),
        ("golden('name', text)", True),
        ("check_invariants(node)", True),
        ("print(x)", False),
        ("recheck = x", False),
    ],
)
def test_a_hollow_test_is_told_from_a_real_one(body: str, expected: bool) -> None:
    (function,) = functions(ast.parse(f"def test_x():\n    {body}\n"))
    assert asserts_something(function) is expected
