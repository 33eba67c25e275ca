"""What tests of readings share: one reading of a tree, instants of a simulated host, and numbers by their files."""

from __future__ import annotations

import os
from typing import Any

from neurontools.schema.snapshot import Core, Device, Snapshot
from neurontools.sources.sysfs.source import SysfsSource
from neurontools.units import NS_PER_S
from tests.sources.trees import Tree

T0 = 1_800_000_000 * NS_PER_S
"""The instant at second 0."""


def snapshot_of(tree: Tree) -> Snapshot:
    """One reading by a source of its own."""
    source = SysfsSource(str(tree.root))
    try:
        return source.snapshot()
    finally:
        source.close()


def at(tree: Tree, second: float, **more: object) -> None:
    """Makes a simulated host of the tree, at an instant."""
    said = {"time_ns": T0 + round(second * NS_PER_S), "sequence": 0, "pid": os.getpid()}
    tree.mark(scenario="made", boot_id="boot", **{**said, **more})


def field_of(path: str, core: Core | None, device: Device) -> Any:
    """The number of a counter's file in the records."""
    directory, _, file = path.rpartition("/")
    parent, _, key = directory.rpartition("/")
    whole = {"stats/memory_usage/device_mem": "device_memory", "stats/memory_usage/host_mem": "host_memory"}
    record: Any = core or device
    if core and directory in whole:
        return getattr(getattr(record, whole[directory]), file)
    names = {"stats/status": "status", "stats/other_info": "other_info", "stats/memory_usage/device_mem": "memory"}
    return getattr(getattr(record, names.get(parent, "host_memory"))[key], file)
