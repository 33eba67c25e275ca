"""A scene, played by the device model: what Prometheus would scrape from the exporter, series by series."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dashboards.scenes import Scene
from dashboards.selectors import Selector
from device_model.publish.tree.dialect import dialect
from device_model.publish.tree.files import Files
from device_model.publish.tree.marker import marker_of
from device_model.publish.tree.whole import whole
from device_model.scenario import NamedScenario, from_document
from device_model.simulation import NS, Simulation
from neurontools.diagnosis import Doctor
from neurontools.exporters.prometheus import FAMILIES, View
from neurontools.exporters.prometheus.family import Family, numbers, series
from neurontools.exporters.prometheus.own import UP
from neurontools.hardware.instances import lookup
from neurontools.schema.interval import between
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Snapshot
from neurontools.sources.sysfs.options import Options
from neurontools.sources.sysfs.source import SysfsSource

STEP_S = 30
PERIOD_S = 5
"""How often Prometheus scrapes, and how long the readings are that the exporter serves."""

MOST_AGE_S = 30
"""The exporter's --max-age: until then a host that is away looks as it did."""

_AT_REST = 0
"""The sequence of a marker while nobody writes: even."""

Series = dict[str, list[float | None]]
"""Numbers by series, one each step from the scene's beginning; None where it is absent."""

_SERVER = {
    "kind": "llm",
    "model": "opt-1.3b",
    "tp": 2,
    "batch": 4,
    "context": 512,
    "arrivals": {"kind": "closed", "users": 4},
    "prompt": {"mean": 60, "cv": 0.8, "least": 4, "most": 200},
    "output": {"mean": 100, "cv": 0.5, "least": 8, "most": 200},
}


class Reading(NamedTuple):
    """A snapshot, and what is installed then."""

    snapshot: Snapshot
    inventory: Inventory


Read = Callable[[int], Reading]
"""Reads a host at a time in seconds after its start; times never go back."""


def model_of(scene: Scene) -> Simulation:
    """The scene's host at its start."""
    process = {"name": "chat", "command": "python serve.py"} | dict(scene.server)
    process["workload"] = dict(scene.workload) or _SERVER
    document = {"description": scene.about, "instance": scene.instance, "processes": [process]}
    return Simulation(NamedScenario(scene.name, from_document(document | {"faults": list(scene.faults)}, scene.name)))


def play(scene: Scene, selectors: Iterable[Selector]) -> Series:
    """What is scraped of the series that some selector takes."""
    wanted = list(selectors)
    families = [family for family in FAMILIES if any(each.name in family.sample_names for each in wanted)]
    found: Series = {}
    page: dict[str, float] = {}
    doctor = Doctor()
    with _host(scene) as read:
        for step in range(scene.minutes * 60 // STEP_S + 1):
            time_s = step * STEP_S
            away_s = _away_s(scene, time_s)
            if away_s > MOST_AGE_S:
                page = dict.fromkeys(UP.sample_names, 0.0)
            elif not away_s and time_s >= PERIOD_S:
                page = _page(read(time_s - PERIOD_S), read(time_s), families, doctor)
            for name, value in page.items():
                if any(each.takes(name) for each in wanted):
                    kept = found.setdefault(name, [])
                    kept += [None] * (step - len(kept))
                    kept.append(value)
    return found


def _away_s(scene: Scene, time_s: int) -> int:
    """How long nothing could be read; 0 while it can."""
    since, until = (60 * minute for minute in scene.away or (0, 0))
    return time_s - since if since < time_s < until else 0


def _page(before: Reading, now: Reading, families: Iterable[Family], doctor: Doctor) -> dict[str, float]:
    """The series that families show of a host between two readings, which the exporter's doctor sees too."""
    doctor.see(before.inventory, before.snapshot)
    diagnosis = doctor.see(now.inventory, now.snapshot)
    view = View.of(between(before.snapshot, now.snapshot), now.inventory, diagnosis=diagnosis)
    return {
        name: number
        for family in families
        for labels, value in family.read(view)
        for name, number in zip(series(family.name, family.kind, family.labels, labels), numbers(value), strict=True)
    }


@contextmanager
def _host(scene: Scene) -> Iterator[Read]:
    """The scene's host; what it gives reads it at a time in s, which never goes back."""
    model = model_of(scene)
    if scene.loses_at is None:
        yield lambda time_s: _read_model(model, time_s)
        return
    with tempfile.TemporaryDirectory(prefix="neuron-scene-") as root:
        tree = _Tree(model, root, scene.loses_at * 60)
        yield tree.read
        tree.close()


def _read_model(model: Simulation, time_s: int) -> Reading:
    model.advance(max(model.now_ns, model.epoch_ns + time_s * NS))
    return Reading(model.snapshot(), model.inventory())


class _Tree:
    """The host as the driver's files, of which those of the last device go at a time."""

    def __init__(self, model: Simulation, root: str, loses_s: int) -> None:
        self._model = model
        self._loses_s = loses_s
        self._lost = f"neuron{lookup(model.instance).devices - 1}"
        self._version = dialect(None, lookup(model.instance))
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self._files = Files(self._root, most_kept=0)
        self._is_whole = True
        self._source = SysfsSource(root, Options(imds=False))

    def read(self, time_s: int) -> Reading:
        """What its files say at a time."""
        _read_model(self._model, time_s)
        published = self._model.published(self._version)
        marker = marker_of(published.snapshot.head, _AT_REST, os.getpid()).file
        entries = [*whole(self._model, published), marker]
        gone = {entry.path for entry in entries if self._lost in entry.path.split("/") and time_s >= self._loses_s}
        if gone and self._is_whole:
            # When it looks anew by itself depends on how fast this computer is.
            self._source.close()
            self._is_whole = False
        self._files.remove(gone)
        self._files.put(entry for entry in entries if entry.path not in gone)
        return Reading(self._source.snapshot(), self._source.inventory())

    def close(self) -> None:
        """Removes the files."""
        self._source.close()
        self._files.close()
        os.close(self._root)
