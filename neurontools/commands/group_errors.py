"""What neuron-monitor could not get, told as AWS's own script tells it: a line on stderr for each group that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from neurontools.report_format import Report

_Owner = tuple[int, str]
"""A runtime's pid and tag; `_NODE` for what is of the node."""

_NODE: _Owner = (0, "")


class GroupErrors:
    """Tells an error when a line carries it first, and not again before a line in which that group had none."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: dict[tuple[_Owner, str], str] = {}

    def see(self, report: Report) -> None:
        """Looks at one line; of a group that was not due nothing new is known."""
        listed = {_NODE, *((runtime.pid, runtime.tag) for runtime in report.runtimes)}
        self._told = {key: error for key, error in self._told.items() if key[0] in listed}
        for (owner, group), error in _states(report):
            if error and self._told.get((owner, group)) != error:
                whose = "" if owner is _NODE else f" for runtime tag {owner[1]}"
                self._tell(f"Error getting {group}{whose}: {error}")
            self._told[owner, group] = error


def _states(report: Report) -> Iterator[tuple[tuple[_Owner, str], str]]:
    """The error of each group that was due, empty where it had none."""
    for runtime in report.runtimes:
        owner = (runtime.pid, runtime.tag)
        yield (owner, "neuron_runtime_data"), runtime.error
        for name, group in runtime.groups.items():
            yield (owner, name), group.error
    for name, group in report.system.items():
        yield (_NODE, name), group.error
    yield (_NODE, "instance_info"), report.instance.error
    yield (_NODE, "neuron_hardware_info"), report.hardware.error
