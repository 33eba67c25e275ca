"""Many readings as one OpenMetrics text, in which all that belongs to a series stands together.

The numbers are kept by series, and on disk when they get many: memory stays the same however long the time is.
"""

from __future__ import annotations

import math
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from neurontools.exporters.prometheus.family import Family, Labels, View, numbers, series
from neurontools.exporters.prometheus.text import OPENMETRICS_END, openmetrics_head

_ABSENT = math.nan
_NUMBER_BYTES = 8
_NS_PER_MS = 1_000_000

KEPT_BYTES = 64 << 20
"""How much is kept in memory before it goes to the disk."""


class _Chunk(NamedTuple):
    """A part of the time on disk: its rows, how many columns it has, and where it begins."""

    first: int
    rows: int
    columns: int
    offset: int


class History:
    """Collects what families show at instant after instant; then `text` is all of it."""

    def __init__(self, families: Sequence[Family], kept_bytes: int = KEPT_BYTES) -> None:
        self._families = families
        self._kept_bytes = kept_bytes
        self._columns: list[dict[Labels, int]] = [{} for _ in families]
        self._numbers: list[array[float]] = []
        self._times: list[str] = []
        self._last_ms: int | None = None
        self._chunks: list[_Chunk] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, view: View) -> bool:
        """Takes in what the families show at the end of an interval. May raise OSError.

        Returns False, and leaves it out, where that is not later by a millisecond than what came before: Prometheus
        takes no two numbers of a series then.
        """
        time_ms = view.interval.head.time_ns // _NS_PER_MS
        if self._last_ms is not None and time_ms <= self._last_ms:
            return False
        self._last_ms = time_ms
        row = len(self._times) - self._first
        for family, columns in zip(self._families, self._columns, strict=True):
            for labels, value in family.read(view):
                found = numbers(value)
                column = columns.get(labels)
                if column is None:
                    column = columns[labels] = len(self._numbers)
                    self._numbers += [array("d") for _ in found]
                for kept, number in zip(self._numbers[column : column + len(found)], found, strict=True):
                    _filled(kept, row).append(number)
        self._times.append(_timestamp(time_ms))
        if (row + 1) * len(self._numbers) * _NUMBER_BYTES > self._kept_bytes:
            self._put_away()
        return True

    def text(self) -> Iterator[str]:
        """The text in pieces; may raise OSError. A family that showed nothing at any instant is not in it."""
        self._put_away()
        for family, columns in zip(self._families, self._columns, strict=True):
            if columns:
                yield openmetrics_head(family)
            for labels, column in columns.items():
                names = series(family.name, family.kind, family.labels, labels)
                for chunk in self._chunks:
                    yield self._lines(names, column, chunk)
        yield OPENMETRICS_END

    @property
    def _first(self) -> int:
        """The first row that is in memory."""
        return self._chunks[-1].first + self._chunks[-1].rows if self._chunks else 0

    def _put_away(self) -> None:
        first = self._first
        rows = len(self._times) - first
        if not rows:
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="neuron-recorder-")  # noqa: SIM115 (open until the end)
        offset = self._file.tell()
        for kept in self._numbers:
            _filled(kept, rows).tofile(self._file)
            del kept[:]
        self._chunks.append(_Chunk(first, rows, len(self._numbers), offset))

    def _lines(self, names: Sequence[str], column: int, chunk: _Chunk) -> str:
        """The samples of a point in a chunk, in the order of time; of those that it has several of, all together."""
        if column >= chunk.columns:
            return ""
        times = self._times[chunk.first : chunk.first + chunk.rows]
        rows = zip(times, *(self._column(column + i, chunk) for i in range(len(names))), strict=True)
        if len(names) == 1:
            (name,) = names
            return "".join([f"{name} {number!r} {time}\n" for time, number in rows if number == number])
        return "".join(
            [
                f"{name} {number!r} {time}\n"
                for time, *found in rows
                for name, number in zip(names, found, strict=True)
                if number == number
            ]
        )

    def _column(self, column: int, chunk: _Chunk) -> array[float]:
        assert self._file is not None
        self._file.seek(chunk.offset + column * chunk.rows * _NUMBER_BYTES)
        numbers = array("d")
        numbers.fromfile(self._file, chunk.rows)
        return numbers


def _filled(kept: array[float], rows: int) -> array[float]:
    """The numbers of a series up to a row; where it had none it was absent."""
    if len(kept) < rows:
        kept.extend([_ABSENT] * (rows - len(kept)))
    return kept


def _timestamp(time_ms: int) -> str:
    """Seconds, with decimals where there are any."""
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds}.{ms:03d}" if ms else str(seconds)
