"""Clients as they were recorded: a table of times and lengths, spelled out or read from a file like Azure's traces."""

import os
import re
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from device_model.kernel.clock import NS

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
"""The first line of a file: the public Azure LLM inference traces of 2023 and 2024 begin so."""

MAX_ROWS = 100_000
"""The longest trace (assumed): Azure's trace of conversations of 2023 has a fifth of that."""

MAX_SECONDS = 2_000_000
"""The last time in a trace, 23 days: up to there a number of seconds is exact to the ns."""

_MOST_CHARACTERS = 100 * MAX_ROWS
_DATE = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_SECONDS = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_TOKENS = re.compile(r"\d{1,9}", re.ASCII)
_EPOCH = datetime.fromtimestamp(0, UTC)
_SECOND = timedelta(seconds=1)
_TYPES_OF_ROW = ((int, int, int), (float, int, int))
_ROW = "[seconds, prompt tokens, answer tokens]"
_LINE = "a line such as 2023-11-16 18:15:46.6805900,374,44 or 12.5,374,44, all times written in one way"


class Row(NamedTuple):
    """A request: when it comes, in seconds after the beginning of service, and its tokens."""

    seconds: float
    prompt: int
    output: int


class Trace(NamedTuple):
    """Arrivals `times_ns` after the beginning of service, ascending, `speed` times as fast.

    With `loop` they come again for ever; the last of a round and the first of the next are their mean gap apart, so
    that the rate stays what it was. `loop` needs two different times.
    """

    times_ns: tuple[int, ...]
    speed: float
    loop: bool

    def following(self, index: int, time_ns: int) -> int | None:
        """The next row; None after the last."""
        if index >= len(self.times_ns) and not self.loop:
            return None
        return time_ns + self._offset_ns(index) - (self._offset_ns(index - 1) if index else 0)

    def _offset_ns(self, index: int) -> int:
        """Of arrival number `index` from the beginning of service, in integers: no rounding adds up."""
        rounds, row = divmod(index, len(self.times_ns))
        offset_ns = self.times_ns[row]
        if rounds:
            gaps = len(self.times_ns) - 1
            offset_ns += rounds * (self.times_ns[-1] - self.times_ns[0]) * (gaps + 1) // gaps
        speed, one = self.speed.as_integer_ratio()
        return offset_ns * one // speed


def checked_rows(value: Any, most_tokens: int) -> tuple[Row, ...]:
    """Rows that a scenario spells out; ValueError for the first that is wrong, rows counted from 1."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"expected an array of {_ROW}, found {value!r:.40}")
    if len(value) > MAX_ROWS:
        raise ValueError(f"expected at most {MAX_ROWS} rows, found {len(value)}")
    rows: list[Row] = []
    for number, found in enumerate(value, 1):
        if not isinstance(found, list | tuple) or tuple(map(type, found)) not in _TYPES_OF_ROW:
            raise ValueError(f"row {number}: expected {_ROW}, found {found!r:.60}")
        seconds, prompt, output = found
        row = Row(seconds, prompt, output)
        expected = _expected(row, rows, most_tokens)
        if expected:
            raise ValueError(f"row {number}: expected {expected}, found {found!r:.60}")
        rows.append(row._replace(seconds=float(seconds)))
    return tuple(rows)


def read_rows(path: str, most_tokens: int) -> tuple[Row, ...]:
    """The rows of a CSV file with the columns of HEADER.

    The first time decides what all are: dates, UTC unless they say otherwise, count from the first of them; numbers
    are seconds after the beginning of service. ValueError for the first line that is wrong, and for an unreadable file.
    """
    first, *lines = _text(path).rstrip().splitlines() or [""]
    if first.strip() != HEADER or not lines:
        raise ValueError(f"{path}: expected {HEADER} in line 1 and rows below, found {first!r:.60}")
    if len(lines) > MAX_ROWS:
        raise ValueError(f"{path}: expected at most {MAX_ROWS} rows, found {len(lines)}")
    dated = _DATE.match(lines[0]) is not None
    begin_ns = None if dated else 0
    rows: list[Row] = []
    for number, line in enumerate(lines, 2):
        cells = _cells(line, dated)
        if cells is None:
            raise ValueError(f"{path}, line {number}: expected {_LINE}, found {line!r:.60}")
        time_ns, prompt, output = cells
        begin_ns = time_ns if begin_ns is None else begin_ns
        row = Row((time_ns - begin_ns) / NS, prompt, output)
        expected = _expected(row, rows, most_tokens)
        if expected:
            raise ValueError(f"{path}, line {number}: expected {expected}, found {line!r:.60}")
        rows.append(row)
    return tuple(rows)


def _expected(row: Row, rows: Sequence[Row], most_tokens: int) -> str:
    """What should have followed `rows` instead of `row`; empty when it is right."""
    if not 0 <= row.seconds <= MAX_SECONDS:
        return f"a time from 0 to {MAX_SECONDS} seconds"
    if rows and row.seconds < rows[-1].seconds:
        return "a time that is not before the row above"
    if not (1 <= row.prompt <= most_tokens and 1 <= row.output <= most_tokens):
        return f"1 to {most_tokens} tokens"
    return ""


def _text(path: str) -> str:
    """What a file holds; only regular files, since reading a pipe could take for ever."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError(f"cannot read {path}: it is not a file")
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}; a path starts at the current directory") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not UTF-8 text") from None
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"cannot read {path}: it has more than {_MOST_CHARACTERS} characters")
    return text


def _cells(line: str, dated: bool) -> tuple[int, int, int] | None:
    """Time in ns and tokens of a line; None for a line that is made otherwise."""
    time, *tokens = (cell.strip() for cell in line.split(","))
    time_ns = (_date_ns if dated else _seconds_ns)(time)
    if time_ns is None or len(tokens) != 2 or not all(map(_TOKENS.fullmatch, tokens)):
        return None
    return time_ns, int(tokens[0]), int(tokens[1])


def _date_ns(text: str) -> int | None:
    """Since 1970; None for what is no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    second, fraction, zone = found.groups()
    try:
        since = datetime.fromisoformat(second + (zone or "+00:00")) - _EPOCH
    except ValueError:
        return None
    return since // _SECOND * NS + _fraction_ns(fraction)


def _seconds_ns(text: str) -> int | None:
    found = _SECONDS.fullmatch(text)
    return None if found is None else int(found[1]) * NS + _fraction_ns(found[2])


def _fraction_ns(digits: str | None) -> int:
    """Decimals of a second, as many as there are up to nine."""
    return int((digits or "").ljust(9, "0"))
