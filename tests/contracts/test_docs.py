"""The documents stay true: files they name exist, links resolve, and the changelog knows this version."""

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from tests.contracts.tree import ROOT, place, project_files

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
QUOTED_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.*-]*|[\w-]+\.(?:md|toml|txt|py))`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(document: Path) -> list[str]:
    """The relative links of a document that lead nowhere."""
    broken = []
    for target, anchor in LINK.findall(FENCE.sub("", document.read_text())):
        path = document.parent / target if target else document
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path.read_text())):
            broken.append(f"{place(document)}: {target}#{anchor}")
    return broken


def test_links_between_documents_resolve() -> None:
    documents = [path for path in project_files() if path.suffix == ".md"]
    assert ROOT / "README.md" in documents
    assert not [link for document in documents for link in broken_links(document)]


def test_contributing_names_files_that_exist() -> None:
    names = QUOTED_PATH.findall(FENCE.sub("", (ROOT / "CONTRIBUTING.md").read_text()))
    assert names
    assert not [name for name in names if not any(ROOT.glob(name.rstrip("/")))]


@pytest.mark.parametrize("package", ["neurontools", "device_model"])
def test_contributing_has_every_level_in_the_order_of_the_levels(package: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Architecture")[2]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [each["layers"] for each in contracts if each.get("containers") == [package]]
    places = []
    for level in layers:
        names = [
            f"`{package}/{name}{'/' if (ROOT / package / name).is_dir() else '.py'}`" for name in level.split(" | ")
        ]
        assert not [name for name in names if name not in text]
        places.append([text.index(name) for name in names])
    assert all(max(above) < min(below) for above, below in itertools.pairwise(places))


def test_the_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [path for path in project_files() if path.suffix == ".md"]
    named = {name for path in documents for name in re.findall(r"`make ([a-z-]+)", path.read_text())}
    assert "test" in named
    assert named <= targets


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    sections = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert {"Unreleased", version} & set(sections)


def test_every_supported_dependency_is_pinned_for_development() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = document["project"]
    groups = [document["build-system"]["requires"], project["dependencies"], *project["optional-dependencies"].values()]
    wanted = itertools.chain.from_iterable(groups)
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    named = {re.split(r"[<>=\[]", requirement)[0] for requirement in wanted}
    assert named - {project["name"]} <= pinned


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("## Who may import whom", "who-may-import-whom"), ("# `make test`, in full", "make-test-in-full")],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert anchors(heading) == {anchor}
