"""The published benchmark rows, as CSV: any order of columns, comment lines, missing figures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from typing import NamedTuple, TypeVar

from device_model.workloads.calibration.constants import DATA

KINDS = ("decode", "encoder", "cnn")
MOST = 10_000_000
"""The largest count that a row may have: no batch, sequence or degree comes near it."""

_REQUIRED = ("kind", "model", "inst", "tp", "dp", "batch")

Value = TypeVar("Value")


class RowError(ValueError):
    """A line of the file that cannot be read; the text names file, line and column."""


class Row(NamedTuple):
    """One published benchmark row; None where its table has no such column."""

    kind: str
    """"decode", "encoder" or "cnn"."""
    model: str
    instance: str
    tp: int
    """NeuronCores per replica."""
    replicas: int
    batch: int
    sequence: int | None
    prompt: int | None
    output: int | None
    weight_bytes: float
    token_ms: float | None
    """Decode: median time per output token."""
    first_ms: float | None
    """Decode: time to first token; encoder and CNN: median latency of one batch."""
    throughput: float | None
    """Decode: tokens, else sequences or images, per second of all replicas."""
    sdk: str
    source: str
    line: int = 0
    """Where the row stands in its file."""


def load_unseen_rows() -> tuple[Row, ...]:
    """The bundled rows that nothing was fitted to: published runs of other models, to check predictions against."""
    return load_rows(DATA / "unseen_rows.csv")


def load_rows(path: Traversable | None = None) -> tuple[Row, ...]:
    """The rows of a CSV file, by default those that the shipped constants were fitted to.

    Raises OSError, or RowError for a line that cannot be read.
    """
    name = "calibration_rows.csv" if path is None else str(path)
    try:
        text = (path or DATA / "calibration_rows.csv").read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RowError(f"{name}: it is not UTF-8 text") from error
    # A comment becomes an empty line, which the reader passes over, so that its line numbers stay the file's.
    reader = csv.reader("" if line.lstrip().startswith("#") else line for line in text.splitlines())
    rows: list[Row] = []
    columns: list[str] = []
    for fields in reader:
        if not any(field.strip() for field in fields):
            continue
        where = f"{name}, line {reader.line_num}"
        if not columns:
            columns = _header(fields, where)
            continue
        if len(fields) > len(columns):
            raise RowError(f"{where}: {len(fields)} fields, but the header names {len(columns)}")
        record = dict(zip(columns, map(str.strip, fields), strict=False))
        rows.append(_parse(record, where, reader.line_num))
    if not columns:
        raise RowError(f"{name}: no header line with the columns {', '.join(_REQUIRED)}")
    return tuple(rows)


def _header(fields: list[str], where: str) -> list[str]:
    columns = [field.strip() for field in fields]
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise RowError(f"{where}: the header lacks the column {missing[0]}; it has {', '.join(columns)}")
    return columns


def _parse(record: Mapping[str, str], where: str, line: int) -> Row:
    def value(column: str, convert: Callable[[str], Value], expected: str) -> Value | None:
        text = record.get(column, "")
        if not text:
            return None
        try:
            return convert(text)
        except ValueError:
            raise RowError(f"{where}, column {column}: expected {expected}, found {text!r}") from None

    def needed(column: str, convert: Callable[[str], Value], expected: str) -> Value:
        found = value(column, convert, expected)
        if found is None:
            raise RowError(f"{where}, column {column}: expected {expected}, found nothing")
        return found

    count, figure = (_count, f"a whole number from 1 to {MOST:,}"), (_figure, "a number above 0")
    return Row(
        kind=needed("kind", _kind, f"one of {', '.join(KINDS)}"),
        model=needed("model", str, "a model's name"),
        instance=needed("inst", str, "an instance type"),
        tp=needed("tp", *count),
        replicas=needed("dp", *count),
        batch=needed("batch", *count),
        sequence=value("seq", *count),
        prompt=value("inp", *count),
        output=value("out", *count),
        weight_bytes=value("wbytes", *figure) or 2.0,
        token_ms=value("tpot_ms", *figure),
        first_ms=value("ttft_ms", *figure),
        throughput=value("thr", *figure),
        sdk=record.get("sdk", ""),
        source=record.get("src", ""),
        line=line,
    )


def _kind(text: str) -> str:
    if text not in KINDS:
        raise ValueError
    return text


def _count(text: str) -> int:
    number = float(text)
    if not 1 <= number <= MOST or not number.is_integer():
        raise ValueError
    return int(number)


def _figure(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError
    return number
