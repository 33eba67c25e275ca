"""docs/scenarios.md: its examples are scenarios, its whole one holds what it expects, and no key is left out."""

import re
import tomllib
from typing import Any

import pytest

from device_model.expectations import Run
from device_model.faults.table import FAULTS
from device_model.scenario import NamedScenario, from_document, json_schema
from device_model.simulation import Simulation
from tests.contracts.tree import ROOT

TEXT = (ROOT / "docs" / "scenarios.md").read_text()
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
WHOLE = tomllib.loads(BLOCKS[0])


def test_the_whole_example_shows_what_it_expects() -> None:
    run = Run(Simulation(NamedScenario("example", from_document(WHOLE, "example"))))
    assert [finding.text for finding in run.findings(lambda: None) if not finding.holds] == []
    assert len(run.wanted) == 3


@pytest.mark.parametrize("line", re.findall(r"^arrivals = .*$", BLOCKS[1], re.MULTILINE))
def test_every_line_of_arrivals_can_be_used(line: str) -> None:
    chat, *others = WHOLE["processes"]
    changed: dict[str, Any] = chat | {"workload": chat["workload"] | tomllib.loads(line)}
    assert Simulation(NamedScenario("example", from_document(WHOLE | {"processes": [changed, *others]}, "example")))


def test_every_fault_of_the_examples_can_be_used() -> None:
    faults = tomllib.loads(BLOCKS[2])["faults"]
    assert {key for fault in faults for key in ("at", "every", "rate", "when") if key in fault} == {
        "at",
        "every",
        "rate",
        "when",
    }
    assert {fault["fault"] for fault in faults} <= set(FAULTS)
    assert Simulation(NamedScenario("example", from_document(WHOLE | {"faults": faults}, "example")))


def test_every_key_is_spoken_of() -> None:
    schema = json_schema()
    tables = [schema, *schema["$defs"].values()]
    keys = {key for table in tables for key in table.get("properties", {})}
    assert len(keys) > 80
    assert [key for key in sorted(keys) if not re.search(rf"\b{re.escape(key)}\b", TEXT)] == []
    kinds = {table["properties"]["kind"].get("const") for table in tables if "kind" in table.get("properties", {})}
    assert [kind for kind in sorted(kinds - {None}) if not re.search(rf"[\"`]{kind}[\"`]", TEXT)] == []
