"""Which process started which: the Neuron processes below each other, and below the programs that started them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from neurontools.schema.interval import ProcessInterval

_INIT = 1
_MOST_LEVELS = 6

_Key = tuple[int, int | None]
"""A process, or by the pid alone a program of which no more is known."""


class Kin(NamedTuple):
    """A program with those that it started. One without a `process` is no Neuron process: only its pid is known."""

    pid: int
    process: ProcessInterval | None
    children: tuple[Kin, ...] = ()

    def processes(self) -> Iterator[ProcessInterval]:
        """Its Neuron processes, itself among them."""
        if self.process is not None:
            yield self.process
        for child in self.children:
            yield from child.processes()


def forest(processes: Sequence[ProcessInterval]) -> list[Kin]:
    """All processes, each once, in their order; a parent that is none of them stands where its first child would.

    What init started, or nobody knows who, is a root; so is what would be deeper than a screen can show.
    """
    parents = _parents(processes)
    below: dict[_Key, list[ProcessInterval]] = {}
    roots: dict[_Key, list[ProcessInterval]] = {}
    for process in processes:
        parent = parents.get(_key(process))
        if parent is not None:
            below.setdefault(parent, []).append(process)
        elif (process.parent_pid or _INIT) > _INIT:
            roots.setdefault((process.parent_pid or 0, None), []).append(process)
        else:
            roots.setdefault(_key(process), []).append(process)

    def with_children(process: ProcessInterval) -> Kin:
        return Kin(process.pid, process, tuple(map(with_children, below.get(_key(process), ()))))

    return [
        Kin(pid, None, tuple(map(with_children, own))) if started_ns is None else with_children(own[0])
        for (pid, started_ns), own in roots.items()
    ]


def _parents(processes: Sequence[ProcessInterval]) -> dict[_Key, _Key]:
    """The Neuron process that started a process: one with the parent's pid that is older, as a later one is another.

    So nobody is its own ancestor, whatever a source says.
    """
    parents: dict[_Key, _Key] = {}
    latest: dict[int, _Key] = {}
    depths: dict[_Key, int] = {}
    for process in sorted(processes, key=lambda process: (process.started_ns, process.pid)):
        key, parent = _key(process), latest.get(process.parent_pid or 0)
        depths[key] = 0
        if parent is not None and depths[parent] < _MOST_LEVELS:
            parents[key], depths[key] = parent, depths[parent] + 1
        latest[process.pid] = key
    return parents


def _key(process: ProcessInterval) -> _Key:
    return process.pid, process.started_ns
