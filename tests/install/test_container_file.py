"""The container file: what it copies is there and let through, and it installs what is tested."""

import re
from fnmatch import fnmatch

from tests.contracts.tree import ROOT

TEXT = (ROOT / "Containerfile").read_text()
LET_THROUGH = [line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")]


def test_what_is_copied_is_there_and_let_through() -> None:
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.MULTILINE) for word in line.split()[:-1]]
    assert {"neurontools", "device_model", "constraints.txt", "pyproject.toml"} <= set(copied)
    assert not [path for path in copied if not (ROOT / path).exists()]
    assert not [path for path in copied if not any(fnmatch(path, pattern) for pattern in LET_THROUGH)]


def test_the_pinned_versions_are_installed_and_nobody_runs_them() -> None:
    assert "pip install --no-cache-dir --constraint /tmp/constraints.txt" in TEXT
    assert re.search(r"^USER nobody$", TEXT, re.MULTILINE)
    assert 'ENTRYPOINT ["neurontools"]' in TEXT
