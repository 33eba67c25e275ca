"""The project's own files as the contract tests see them: what git would commit, and parsed modules."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("neurontools", "device_model", "tests", "benchmarks", "dashboards", "install")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def project_files() -> tuple[Path, ...]:
    """Every file that is tracked or could be added, so that a new file is judged before it is committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in sorted(set(names.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def modules(*packages: str) -> list[Path]:
    """The Python files of these packages of the project."""
    return [path for path in project_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in packages]


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of one module."""
    return ast.parse(path.read_text(), str(path))


def functions(tree: ast.Module) -> list[Function]:
    """Every function and method of a module, nested ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def place(path: Path, line: int = 0) -> str:
    """`file:line` relative to the root, for a failure's message."""
    name = path.relative_to(ROOT).as_posix()
    return f"{name}:{line}" if line else name
