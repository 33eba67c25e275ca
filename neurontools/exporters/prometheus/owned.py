"""Metric families with the labels namespace, pod and container, where a series is of one device, core or process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from neurontools.exporters.prometheus.family import Family, Labels, Point, View
from neurontools.schema.owners import Owner, Owners

OWNER_LABELS = Owner._fields

_NOBODY = ("",) * len(OWNER_LABELS)

Find = Callable[[View, Owners, str], Owner | None]


def _of_core(_: View, owners: Owners, core: str) -> Owner | None:
    return owners.of_core(int(core))


def _of_device(_: View, owners: Owners, device: str) -> Owner | None:
    return owners.of_device(int(device))


def _of_process(view: View, owners: Owners, tag: str) -> Owner | None:
    found = (process for process in view.interval.processes if view.tags[process.pid, process.started_ns] == tag)
    return next((owners.of_process(process) for process in found), None)


_BY_LABEL: dict[str, Find] = {
    # What says most comes first.
    "neuroncore": _of_core,
    "neuron_device": _of_device,
    "neuron_device_index": _of_device,
    "runtime_tag": _of_process,
}


def owned(families: Iterable[Family]) -> tuple[Family, ...]:
    """The families as they are with a view that knows owners; those of the whole node stay what they were."""
    return tuple(_owned(family) for family in families)


def _owned(family: Family) -> Family:
    label = next((label for label in _BY_LABEL if label in family.labels), None)
    if label is None:
        return family
    place, find = family.labels.index(label), _BY_LABEL[label]

    def read(view: View) -> Iterator[Point]:
        known: dict[str, Labels] = {}
        for labels, value in family.read(view):
            key = labels[place]
            if key not in known:
                # A finding about the whole host is of no core.
                asked = view.owners if key else None
                known[key] = (find(view, asked, key) if asked is not None else None) or _NOBODY
            yield (*labels, *known[key]), value

    return family._replace(labels=(*family.labels, *OWNER_LABELS), read=read)
