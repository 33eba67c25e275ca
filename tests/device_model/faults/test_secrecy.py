"""Nothing but `status` and `faults` tells what was injected: tools have to find it out from what it does."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from device_model.faults.table import FAULTS
from device_model.save import saved
from device_model.simulation import Simulation
from neurontools.hardware.instances import chip_of, lookup
from neurontools.schema.inventory import to_document
from tests.device_model.faults.programs import PARAMETERS, PLACES
from tests.device_model.faults.sources import Tools
from tests.device_model.hosts import AGES_NS, forward, host, server
from tests.device_model.publish.tree.trees import planned

WORDS = ("inject", "healed", "fault")
"""No surface may have them; a fault's name is another matter where it is the hardware's own word."""

OWN_WORDS = {
    "hang": "HANG_ON_COLLECTIVES and the runtime's `suspected hang in collectives operation`",
    "nan": "three letters of other words",
}
"""Names of faults that are words of the runtime, or parts of others, and so cannot be looked for."""


def serving(instance: str) -> Simulation:
    """A host whose process is always busy."""
    return forward(host(server("a", tp=4, arrivals={"kind": "closed", "users": 2}), instance=instance), 4)


def home_of(name: str) -> str:
    """An instance type on which there is such a fault."""
    return next(each for each in ("inf2.48xlarge", "trn2.48xlarge") if chip_of(lookup(each)).name in FAULTS[name].chips)


def strike(model: Simulation, name: str) -> Simulation:
    """Injects a fault whose number is 777,000 and more, which no other number is."""
    model._injections._count = 777_000
    model.inject(name, PLACES[FAULTS[name].target], PARAMETERS.get(name, {}))
    return model


def surfaces(model: Simulation, tools: Tools) -> dict[str, Any]:
    """All that can be read of a host but its status and its faults."""
    pasts = [model.past(age) for age in AGES_NS]
    inventory = model.inventory()
    return {
        "snapshot": model.snapshot(),
        "past": [past for past in pasts if past is not None],
        "events": model.events(0),
        "inventory": to_document(inventory),
        "allocations": [model.allocations(device) for device in range(lookup(model.instance).devices)],
        "monitor": tools.monitor(1),
        "top": tools.top(),
        "ls": tools.ls() if inventory.devices else [],
        "explain": [model.explain(core) for core in range(8)],
        "tree": {path: found.text for path, found in planned(model).items()},
    }


@pytest.mark.parametrize("name", FAULTS)
def test_no_surface_names_an_injection(name: str) -> None:
    model = serving(home_of(name))
    tools = Tools(model)
    strike(model, name)
    for seconds in (2, 31):
        forward(model, seconds)
        for surface, content in surfaces(model, tools).items():
            told = msgspec.json.encode(content).decode().lower()
            found = [word for word in (*WORDS, name, "777001") if word in told and word not in OWN_WORDS]
            assert found == [], surface


READINGS: tuple[Callable[[Simulation], Any], ...] = (
    Simulation.snapshot,
    Simulation.inventory,
    lambda model: model.events(0),
    lambda model: model.explain(3),
)


@cache
def known_fields(instance: str) -> list[set[str]]:
    """The fields of each reading of hosts without faults: at work, and after the end of their process."""
    model = serving(instance)
    working = [shape(read(model)) for read in READINGS]
    model.signal((model.snapshot().processes or ())[0].pid, 9)
    return [before | shape(read(model)) for before, read in zip(working, READINGS, strict=True)]


@pytest.mark.parametrize("name", FAULTS)
def test_no_field_is_there_only_because_something_was_injected(name: str) -> None:
    model = strike(serving(home_of(name)), name)
    for seconds in (2, 31):
        forward(model, seconds)
        for read, known in zip(READINGS, known_fields(model.instance), strict=True):
            assert shape(read(model)) - known == set()


def shape(value: Any, path: str = "") -> set[str]:
    """The fields that a document's records have, and the names by which its mappings are keyed.

    What is keyed by numbers, by parts that are unknown, and by errors that were counted has no fields of its own.
    """
    if isinstance(value, msgspec.Struct):
        parts: dict[Any, Any] = {name: getattr(value, name) for name in value.__struct_fields__}
    elif isinstance(value, dict) and not path.endswith(("gaps", "errors")):
        parts = {"*" if isinstance(key, int) else key: part for key, part in value.items()}
    elif isinstance(value, list | tuple) and value:
        return {path, *(found for part in value for found in shape(part, f"{path}/*"))}
    else:
        return {path}
    return {path, *(found for name, part in parts.items() for found in shape(part, f"{path}/{name}"))}


def test_the_saved_file_has_the_journal_and_nothing_else_of_it() -> None:
    model = strike(serving("inf2.48xlarge"), "hang")
    document = saved(model)
    assert [entry["fault"] for entry in document["journal"]] == ["hang"]
    assert "hang" not in json.dumps({key: value for key, value in document.items() if key != "journal"})


def test_a_word_that_is_looked_for_would_be_found() -> None:
    model = strike(serving("inf2.48xlarge"), "straggler")
    told = json.dumps([injection.document() for injection in model.faults()])
    assert [word for word in ("fault", "straggler", "777001") if word not in told] == []
