"""What of a snapshot its reader looks at: nothing else is read from the host."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from neurontools.schema.document import kind_of, looked_at
from neurontools.schema.snapshot import Snapshot


class Wants(NamedTuple):
    """Names of fields, of the snapshot itself and of the records in it. `whole` says that nothing was left out."""

    whole: bool
    snapshot: frozenset[str]
    device: frozenset[str]
    core: frozenset[str]


@cache
def wants_of(kind: type[Snapshot]) -> Wants:
    """What a reader looks at that asked for this kind of snapshot, see `schema.document.narrowed`."""
    device = kind_of(kind, "devices")
    core = kind_of(device, "cores")
    return Wants(kind is Snapshot, looked_at(kind), looked_at(device), looked_at(core))
