"""The memory tree: devices, their cores, what models and categories hold there; a parent is the sum of its children."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from neurontools.schema.interval import (
    CoreInterval,
    DeviceInterval,
    Interval,
    LoadedModel,
    LoadedSubgraph,
    ProcessInterval,
)
from neurontools.views.top.memory import DEVICE_CATEGORIES, RUNTIME_MEMORY, SHARED_SCRATCHPAD, fold_device
from neurontools.views.top.spans import clean

Path = tuple[int | str, ...]

HOST_PATH: Path = ("host",)
_BUFFERS = "Device buffers"
_BY_PROCESS = "host memory: N/A by device, only by process"
_UNDIVIDED = "Not told by category"

_Loaded = tuple[LoadedModel, list[LoadedSubgraph]]


class Node(NamedTuple):
    """One row. `opened` is None for a leaf; `share` is the used part of the device's memory, for devices only."""

    path: Path
    label: str
    device_bytes: int | None
    host_bytes: int | None
    opened: bool | None = None
    note: str = ""
    model_id: str = ""
    share: float | None = None
    running: bool = True


class Rows(NamedTuple):
    """The rows in sight; `selected` is the index of one of them, `device` the device that it belongs to."""

    nodes: tuple[Node, ...]
    selected: int | None = None
    device: int | None = None
    why_no_host: str = ""


def tree_rows(
    interval: Interval,
    process: ProcessInterval | None,
    opened: frozenset[Path] | None,
    selected: Path | None,
) -> Rows:
    """The rows of the opened part of the tree, of all of it where `opened` is None.

    A selection that is not in sight moves to its nearest parent that is, else to the first row.
    """
    nodes = tuple(_Tree(interval, process, opened).rows())
    index = _nearest(nodes, selected)
    owner = nodes[index].path[0] if index is not None else None
    unknown = nodes and nodes[0].path == HOST_PATH
    return Rows(nodes, index, owner if isinstance(owner, int) else None, _BY_PROCESS if unknown else "")


def _nearest(nodes: tuple[Node, ...], selected: Path | None) -> int | None:
    places = {node.path: index for index, node in enumerate(nodes)}
    path = selected or ()
    while path and path not in places:
        path = path[:-1]
    return places.get(path, 0 if nodes else None)


class _Tree:
    """One walk; makes the children of opened nodes only."""

    def __init__(
        self,
        interval: Interval,
        process: ProcessInterval | None,
        opened: frozenset[Path] | None,
    ) -> None:
        self.interval = interval
        self.process = process
        self.opened = opened
        self.cores: dict[int, list[CoreInterval]] = {}
        self.places: dict[int, int] = {}
        counts: dict[int, int] = {}
        for core in interval.cores:
            self.places[core.core] = counts.get(core.device, 0)
            counts[core.device] = self.places[core.core] + 1
            if process is None or core.core in process.cores:
                self.cores.setdefault(core.device, []).append(core)
        self._models: dict[int, dict[tuple[int, int], _Loaded]] | None = None

    def rows(self) -> Iterator[Node]:
        devices = {device.device: device for device in self.interval.devices}
        host_by_device = self.process is None and any(d.host_memory_bytes is not None for d in devices.values())
        if not host_by_device:
            yield from self._host()
        for index in sorted(devices if self.process is None else self.cores):
            yield from self._device(index, devices.get(index), self.cores.get(index, []))

    def is_open(self, path: Path) -> bool:
        return self.opened is None or path in self.opened

    def _host(self) -> Iterator[Node]:
        """Host memory that cannot be laid on devices."""
        owners = self.interval.processes if self.process is None else (self.process,)
        sizes = [owner.host_memory_bytes for owner in owners]
        if owners:
            yield Node(HOST_PATH, "Host", None, None if None in sizes else sum(size or 0 for size in sizes))

    def _device(self, index: int, device: DeviceInterval | None, cores: list[CoreInterval]) -> Iterator[Node]:
        path: Path = (index,)
        used = _sum([self._core_bytes(core) for core in cores])
        of_cores = _sum([self._core_host(core) for core in cores])
        whole = device.host_memory_bytes if device is not None and self.process is None else None
        buffers = max(0, whole - (of_cores or 0)) if whole is not None else None
        host = of_cores if buffers is None else (of_cores or 0) + buffers
        total = device.memory_total_bytes if device is not None else None
        share = used / total if used is not None and total else None
        opened = self.is_open(path)
        yield Node(path, f"ND {index}", used, host, opened, share=share)
        if not opened:
            return
        for core in cores:
            yield from self._core((*path, core.core), core)
        if buffers is not None:
            yield Node((*path, "buffers"), _BUFFERS, None, buffers)

    def _core(self, path: Path, core: CoreInterval) -> Iterator[Node]:
        opened = self.is_open(path)
        number = self.places[core.core]
        note = f"core {core.core}" if core.core != number else ""
        host = self._core_host(core)
        yield Node(path, f"NC {number}", self._core_bytes(core), host, opened, note)
        if not opened:
            return
        memory = self._core_memory(core)
        if memory is None:
            yield Node((*path, _UNDIVIDED), _UNDIVIDED, self._core_bytes(core), host)
            return
        left = fold_device(memory)
        for key, (model, pieces) in self._models_on(core.core).items():
            held = _take(left, pieces)
            held_host = min(sum(sum(piece.host_memory.values()) for piece in pieces), host or 0)
            host = None if host is None else host - held_host
            yield from self._model((*path, *key), model, held, held_host)
        for category in DEVICE_CATEGORIES:
            own_host = host if category == RUNTIME_MEMORY else None
            yield Node((*path, category), category, left[category], own_host)

    def _model(self, path: Path, model: LoadedModel, held: Mapping[str, int], host: int) -> Iterator[Node]:
        opened = self.is_open(path)
        yield Node(
            path,
            clean(model.name),
            sum(held.values()),
            host or None,
            opened,
            model_id=str(model.model_id),
            running=model.running,
        )
        if opened:
            for category, count in held.items():
                if count:
                    yield Node((*path, category), category, count, None, running=model.running)

    def _models_on(self, core: int) -> Mapping[tuple[int, int], _Loaded]:
        """The models with a part on a core, by pid and model id."""
        if self._models is None:
            self._models = {}
            for process in self.interval.processes if self.process is None else (self.process,):
                for model in process.models or ():
                    for piece in model.subgraphs:
                        there = self._models.setdefault(piece.core, {})
                        there.setdefault((process.pid, model.model_id), (model, []))[1].append(piece)
        return self._models.get(core, {})

    def _core_memory(self, core: CoreInterval) -> Mapping[str, int] | None:
        if self.process is None:
            return core.memory
        return None if self.process.memory is None else self.process.memory.get(core.core, {})

    def _core_bytes(self, core: CoreInterval) -> int | None:
        memory = self._core_memory(core)
        if memory is not None:
            return sum(memory.values())
        return core.memory_used_bytes if self.process is None else None

    def _core_host(self, core: CoreInterval) -> int | None:
        return core.host_memory_bytes if self.process is None else None


def _take(left: dict[str, int], pieces: list[LoadedSubgraph]) -> dict[str, int]:
    """Takes a model's parts out of what is left of their core.

    The shared scratchpad stays with the core. Where a source read the model before the core, the model may
    seem to hold more than its core: it gets what there is.
    """
    own: dict[str, int] = {}
    for piece in pieces:
        for category, count in piece.device_memory.items():
            if category != SHARED_SCRATCHPAD:
                own[category] = own.get(category, 0) + count
    held = {category: min(count, left[category]) for category, count in fold_device(own).items()}
    for category, count in held.items():
        left[category] -= count
    return held


def _sum(sizes: list[int | None]) -> int | None:
    return None if None in sizes or not sizes else sum(size or 0 for size in sizes)


def openable(rows: Callable[[frozenset[Path] | None], Rows]) -> frozenset[Path]:
    """The paths of all nodes that have children, of the tree that `rows` makes."""
    return frozenset(node.path for node in rows(None).nodes if node.opened is not None)
