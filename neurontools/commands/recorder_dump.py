"""`neuron-recorder dump`: a recording's intervals as JSON, CSV, OpenMetrics or neuron-monitor's lines."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from neurontools.commands import errors
from neurontools.commands.recorded import instant, opened_series
from neurontools.recording import Series, replayed
from neurontools.schema.document import encode
from neurontools.schema.interval import Interval, NoInterval, between
from neurontools.schema.inventory import Inventory
from neurontools.schema.source import SourceError
from neurontools.units import format_time_ns

if TYPE_CHECKING:
    from neurontools.exporters.prometheus import Family

_NAME = "neuron-recorder"

_PIECE_CHARACTERS = 1 << 18
"""How much is written at once."""


class _Done(NamedTuple):
    """What the host did from one reading to the next, and what was installed."""

    interval: Interval
    inventory: Inventory


def dump(given: Mapping[str, str], operands: list[str]) -> None:
    """Writes the intervals between the readings of a file or directory that end in a span of time."""
    form = given.get("format", "json")
    if form not in _FORMATS:
        raise errors.UsageError(f"--format takes {', '.join(_FORMATS)}, not {form!r:.40}")
    if "match" in given and form != "openmetrics":
        raise errors.UsageError("--match goes with --format openmetrics")
    with opened_series(_NAME, operands[0]) as recording:
        span = recording.span
        first_ns, last_ns = (
            instant(option, given[option], span) if option in given else edge
            for option, edge in zip(("from", "to"), span, strict=True)
        )
        done = _intervals(recording, first_ns, last_ns)
        first = next(done, None)
        if first is None:
            raise SourceError(
                f"there are no two readings of one boot from {format_time_ns(first_ns)} to {format_time_ns(last_ns)}",
                f"the recording reaches from {format_time_ns(span[0])} to {format_time_ns(span[1])}",
            )
        _write(_FORMATS[form](_rejoined(first, done), given))


def _rejoined(first: _Done, others: Iterator[_Done]) -> Iterator[_Done]:
    yield first
    yield from others


def _intervals(recording: Series, first_ns: int, last_ns: int) -> Iterator[_Done]:
    """The intervals that end in a span; the first begins with the last reading before it."""
    before = recording.at(first_ns - 1)
    previous = None if before is None else replayed(before)
    for frame in map(replayed, recording.frames(first_ns, last_ns)):
        if previous is not None:
            # None, where the host was booted in between or its clock was set back.
            with suppress(NoInterval):
                yield _Done(between(previous.snapshot, frame.snapshot), frame.inventory)
        previous = frame


def _write(pieces: Iterable[str]) -> None:
    waiting: list[str] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size > _PIECE_CHARACTERS:
            errors.write("".join(waiting))
            waiting, size = [], 0
    errors.write("".join(waiting))


def _json(done: Iterable[_Done], given: Mapping[str, str]) -> Iterator[str]:
    for interval, _ in done:
        yield f"{encode(replace(interval, snapshot=None)).decode()}\n"


def _csv(done: Iterable[_Done], given: Mapping[str, str]) -> Iterator[str]:
    from neurontools.exporters.tables import HEADER, rows

    yield HEADER
    for interval, _ in done:
        yield rows(interval)


def _report(done: Iterable[_Done], given: Mapping[str, str]) -> Iterator[str]:
    from neurontools.exporters.report import encode, full_report

    for interval, inventory in done:
        yield f"{encode(full_report(interval, inventory)).decode()}\n"


def _openmetrics(done: Iterable[_Done], given: Mapping[str, str]) -> Iterator[str]:
    from neurontools.exporters.prometheus import FAMILIES, History, View

    families = _matching(given["match"]) if "match" in given else FAMILIES
    left_out = 0
    try:
        with History(families) as history:
            for interval, inventory in done:
                left_out += not history.add(View.of(interval, inventory))
            yield from history.text()
    except OSError as error:
        raise errors.OutputError(f"cannot keep the numbers on disk, where TMPDIR says: {error.strerror}") from None
    if left_out:
        line = f"{left_out} readings are left out: their time is not later than that of the one before"
        errors.say(f"{_NAME}: note: {line}")


def _matching(path: str) -> list["Family"]:
    from neurontools.exporters.prometheus import FAMILIES
    from neurontools.exporters.prometheus.rules import RulesError, expressions, named

    try:
        with open(path, encoding="utf-8") as file:
            families = named(FAMILIES, expressions(file.read()))
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    except RulesError as error:
        raise errors.UsageError(f"cannot read {path}: {error}") from None
    if not families:
        raise errors.UsageError(f"no expression in {path} names a metric that a recording has")
    return families


_FORMATS: dict[str, Callable[[Iterable[_Done], Mapping[str, str]], Iterator[str]]] = {
    "json": _json,
    "csv": _csv,
    "openmetrics": _openmetrics,
    "report": _report,
}
