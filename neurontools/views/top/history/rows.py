"""A few numbers of each reading, to draw charts from: of the node, of every device, and how busy each core was."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from neurontools.schema.interval import Interval, ProcessInterval, totals
from neurontools.views.top.spans import dots

UNKNOWN = math.nan
NODE_COLUMNS = (
    *("util", "util_max", "memory", "flops", "executions", "tokens", "requests", "queued"),
    *("p50", "p99", "first_token", "power", "power_max", "links", "hbm", "vcpu"),
)
DEVICE_COLUMNS = ("util", "memory", "power", "links")
NO_DOTS = 255
"""A core whose utilization was unknown."""

_NOTHING_PERCENT = 0.5
_MARGIN = 300


class Row(NamedTuple):
    """The numbers of one reading; NaN is unknown. `dots` has a byte for each logical core: 0 to 4, or NO_DOTS."""

    time_ns: int
    values: array[float]
    dots: bytes


def row_of(interval: Interval) -> Row:
    """The numbers of an interval: percents, per second, seconds; of latencies those of the slowest process."""
    node = [UNKNOWN if value is None else value for value in _node(interval)]
    devices = [
        UNKNOWN if value is None else value
        for device in interval.devices
        for value in (
            device.utilization_percent,
            device.memory_used_percent,
            device.power_avg_percent,
            _sum(link.transmitted_bytes_per_s for link in device.links) if device.links else None,
        )
    ]
    busy = bytes(_dots(core.utilization_percent) for core in interval.cores)
    return Row(interval.head.time_ns, array("f", (*node, *devices)), busy)


def column(name: str, device: int | None = None) -> int:
    """The place of a number in a row; ValueError for a name that there is not. `device` counts from 0."""
    if device is None:
        return NODE_COLUMNS.index(name)
    return len(NODE_COLUMNS) + device * len(DEVICE_COLUMNS) + DEVICE_COLUMNS.index(name)


class Rows:
    """The rows of the last `most` readings in the order of their times."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.times: list[int] = []
        self.rows: list[Row] = []
        self.changes = 0
        """Counts what is not just a new row at the end."""

    def clear(self) -> None:
        """Forgets all."""
        self.times.clear()
        self.rows.clear()
        self.changes += 1

    def add(self, row: Row) -> None:
        """Puts a row where it belongs; one of the same instant is replaced."""
        if not self.times or row.time_ns > self.times[-1]:
            self.times.append(row.time_ns)
            self.rows.append(row)
            if len(self.times) > self._most + _MARGIN:
                del self.times[:_MARGIN], self.rows[:_MARGIN]
            return
        place = bisect_left(self.times, row.time_ns)
        if self.times[place] == row.time_ns:
            self.rows[place] = row
        else:
            self.times.insert(place, row.time_ns)
            self.rows.insert(place, row)
        self.changes += 1

    def forget_before(self, time_ns: int) -> None:
        """Forgets what is older, a few hundred rows at a time."""
        old = bisect_left(self.times, time_ns)
        if old >= _MARGIN:
            del self.times[:old], self.rows[:old]

    def until(self, time_ns: int, count: int) -> list[Row]:
        """The last `count` rows that are not after an instant."""
        end = bisect_right(self.times, time_ns)
        return self.rows[max(0, end - count) : end]

    def between(self, first_ns: int, last_ns: int) -> list[Row]:
        """The rows of a span, without its first instant."""
        return self.rows[bisect_right(self.times, first_ns) : bisect_right(self.times, last_ns)]


def _node(interval: Interval) -> Iterable[float | None]:
    node = totals(interval)
    processes = interval.processes
    latencies = [each.latency_total for each in processes if each.latency_total is not None]
    firsts = [
        each.workload.time_to_first_token.p99
        for each in processes
        if each.workload is not None and each.workload.time_to_first_token is not None
    ]
    power = [device.power_avg_percent for device in interval.devices if device.power_avg_percent is not None]
    links = [link.transmitted_bytes_per_s for device in interval.devices for link in device.links or ()]
    hbm = (node.hbm_read_bytes_per_s, node.hbm_written_bytes_per_s)
    average = interval.host.average if interval.host is not None else None
    return (
        node.utilization_percent,
        node.busiest_core.utilization_percent if node.busiest_core is not None else None,
        node.memory_used_percent,
        node.flops_per_s,
        node.executions_per_s,
        node.generated_tokens_per_s if makes_tokens(interval.processes) else None,
        node.requests_per_s,
        node.queued,
        max((each.p50 for each in latencies), default=None),
        max((each.p99 for each in latencies), default=None),
        max(firsts, default=None),
        sum(power) / len(power) if power else None,
        max(power, default=None),
        _sum(links),
        _sum(hbm),
        100.0 - average.idle if average is not None else None,
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _dots(percent: float | None) -> int:
    if percent is None:
        return NO_DOTS
    return dots(percent / 100.0) if percent >= _NOTHING_PERCENT else 0


def makes_tokens(processes: Iterable[ProcessInterval]) -> bool:
    """Whether any of them has ever made a token: of other work none per second would be said."""
    return any(each.workload is not None and each.workload.generated_tokens_total for each in processes)
