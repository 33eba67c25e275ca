"""Who looks for neuron-top whether something is wrong: the doctor's rules, told of a reading every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from neurontools.commands.source_flags import source_environment
from neurontools.sources.choose import root_of

if TYPE_CHECKING:
    from neurontools.schema.events import Event
    from neurontools.schema.finding import Diagnosis
    from neurontools.schema.inventory import Inventory
    from neurontools.schema.snapshot import Snapshot
    from neurontools.views.top.reader import Watch

_FACTS_PERIOD_S = 30.0
_PATIENCE_S = 0.5
"""How long the metadata service may take: readings wait for it."""


def watching(given: Mapping[str, str]) -> Callable[[], Watch]:
    """What makes a watch for the source that the options name; the rules are loaded with the first one only."""
    environment = source_environment(given)
    root = root_of(given.get("source"), environment)
    return lambda: _watch(root, environment)


def _watch(root: str | None, environment: Mapping[str, str]) -> Watch:
    from neurontools.diagnosis import Doctor
    from neurontools.sources.host_facts import FactsReader
    from neurontools.sources.sysfs.options import options_of

    doctor = Doctor()
    reader = None if root is None else FactsReader(root, options_of(environment).imds, _PATIENCE_S)
    due_s = 0.0

    def see(inventory: Inventory, snapshot: Snapshot, events: Sequence[Event]) -> Diagnosis:
        nonlocal due_s
        facts = None
        if reader is not None and time.monotonic() >= due_s:
            due_s = time.monotonic() + _FACTS_PERIOD_S
            facts = reader.read(snapshot.head.time_ns, [process.pid for process in snapshot.processes or ()])
        return doctor.see(inventory, snapshot, events, facts)

    return see
