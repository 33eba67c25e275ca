"""The page of AWS's own script, for what was built on it: its labels everywhere, `_created` series, pids as tags.

Names, types, labels, help and values are those of a captured page (2023); what is unknown is absent here too.
"""

from __future__ import annotations

from collections.abc import Iterable

from neurontools.exporters.prometheus.family import COUNTER, INFO, Family, Labels, View, escaped, numbered
from neurontools.exporters.prometheus.official import OFFICIAL
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.schema.owners import Owners

_INSTANCE = ("availability_zone", "instance_id", "instance_name", "instance_type", "region", "subnet_id")


def compat_view(interval: Interval, inventory: Inventory, owners: Owners | None = None) -> View:
    """A view in which processes are called as neuron-monitor calls them: by their tag, else their pid."""
    tags = numbered(interval, lambda process: process.tag or str(process.pid))
    return View(interval, inventory, tags, owners)


class CompatPage:
    """Renders one instant after another and remembers when each counter was first seen, as AWS's library does."""

    def __init__(self, families: Iterable[Family] = OFFICIAL) -> None:
        self._families = tuple(families)
        self._created: dict[tuple[str, Labels], float] = {}

    def render(self, view: View, now_s: float) -> str:
        """The page; `now_s` is the time in seconds since 1970. A counter that is no longer seen is forgotten."""
        before, self._created = self._created, {}
        instance = _instance_labels(view.inventory)
        lines: list[str] = []
        for family in self._families:
            points = [(labels, float(value)) for labels, value in family.read(view) if isinstance(value, int | float)]
            if not points:
                continue
            name = family.sample_names[0]
            kind = "gauge" if family.kind == INFO else family.kind
            lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {kind}"]
            lines += [f"{name}{_labels(family, labels, instance)} {value!r}" for labels, value in points]
            if family.kind == COUNTER:
                created = f"{family.name}_created"
                lines += [f"# HELP {created} {family.help}", f"# TYPE {created} gauge"]
                for labels, _ in points:
                    first_s = self._created[name, labels] = before.get((name, labels), now_s)
                    lines.append(f"{created}{_labels(family, labels, instance)} {first_s!r}")
        return "\n".join([*lines, ""])


def _instance_labels(inventory: Inventory) -> dict[str, str]:
    """The labels of every series; that of an UltraServer only where the host is part of one, as on AWS's page."""
    values = (
        inventory.availability_zone,
        inventory.instance_id,
        inventory.instance_name,
        inventory.instance_type,
        inventory.region,
        inventory.subnet_id,
    )
    labels = dict(zip(_INSTANCE, values, strict=True))
    return labels | ({"ultraserver_id": inventory.ultraserver_id} if inventory.ultraserver_id else {})


def _labels(family: Family, values: Labels, instance: dict[str, str]) -> str:
    """Labels in the order of their names, those without a value too: AWS's page has them."""
    own = dict(zip(family.labels, values, strict=True))
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in sorted((instance | own).items())) + "}"
