"""The counters of what went wrong: memory errors and health files by device, errors of executions; and the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.schema.interval import DeviceInterval, Interval
from neurontools.units import format_time_ns
from neurontools.views.top.quantities import counted
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, clean, cut, left, right

_DEVICE = 5
_LEAST_COLUMN = 8
_MOST_COLUMNS = 12
_CLOCK = slice(11, 19)
_HEALTHY = ("0", "ok", "healthy", "")


def counters(interval: Interval, width: int, why: Callable[[str], str]) -> Block:
    """A row for each device on which something was counted, below it the errors of executions."""
    heading = (Span("Errors counted", "heading"),)
    names = _names(interval.devices)
    rows: list[Line] = []
    if not names:
        rows.append(Line((Span(f"ECC {NOT_KNOWN}: {why('device_ecc_total')}", "dim"),)))
    else:
        rows += _table(interval.devices, names, width)
    rows += _executions(interval, why)
    return Block(heading, (Span("since the driver was loaded", "dim"),), [Line(cut(row.spans, width)) for row in rows])


def log(events: Sequence[Event], width: int, why: str) -> Block:
    """What happened, the newest first."""

    def draw(event: Event) -> Line:
        kernel = event.kind == KERNEL_LOG
        at = Span(f"{format_time_ns(event.time_ns)[_CLOCK]} ", "dim", f"app.seek({event.time_ns})")
        kind = Span(left(event.kind.replace("_", " "), 14), "warn" if kernel else "dim")
        return Line(cut((at, kind, Span(clean(" ".join(event.text.split())), "text" if kernel else "dim")), width))

    heading = (Span("Log", "heading"),)
    if not events:
        words = f"kernel log {NOT_KNOWN}: {why}" if why else "nothing has happened"
        return Block(heading, (), (Line(cut((Span(words, "dim"),), width)),))
    note = (Span("newest first", "dim"),)
    return Block(heading, note, tuple(events), draw, why=f"kernel log: {why}" if why else "")


def _names(devices: Sequence[DeviceInterval]) -> list[str]:
    """The counters that some device has, those that moved first."""
    totals: dict[str, int] = {}
    for device in devices:
        for name, count in (device.ecc_total or {}).items():
            totals[name] = totals.get(name, 0) + count
    return sorted(totals, key=lambda name: totals[name] == 0)[:_MOST_COLUMNS]


def _table(devices: Sequence[DeviceInterval], names: Sequence[str], width: int) -> list[Line]:
    """All counters of the devices on which any is above 0; where none is, that."""
    health = {device.device: _unwell(device) for device in devices}
    struck = [device for device in devices if any((device.ecc_total or {}).values()) or health[device.device]]
    if not struck:
        unknown = sum(device.ecc_total is None for device in devices)
        more = f"; nothing is known of {counted(unknown, 'device')}" if unknown else ""
        good = Span(f" no memory error and no health file above 0 on {counted(len(devices) - unknown, 'device')}{more}")
        return [Line((Span("✓", "good"), good))]
    columns = [name for name in names if any((device.ecc_total or {}).get(name) for device in struck)]
    room = max(_LEAST_COLUMN, (width - _DEVICE) // max(1, len(columns)) - 1)
    widths = [min(room, max(_LEAST_COLUMN, len(name))) for name in columns]
    head = Span(
        " " * _DEVICE + "".join(f" {right(name, size)}" for name, size in zip(columns, widths, strict=True)), "dim"
    )
    lines = [Line((head,))] if columns else []
    for device in struck:
        spans = [Span(left(f"ND{device.device}", _DEVICE), "strong")]
        for name, size in zip(columns, widths, strict=True):
            count = (device.ecc_total or {}).get(name)
            grew = (device.ecc or {}).get(name, 0) > 0
            text = NOT_KNOWN if count is None else f"{count:,}{'↑' if grew else ''}"
            role = "bad" if count and "uncorrected" in name else "warn" if count else "dim"
            spans.append(Span(f" {right(text, size)}", role))
        if health[device.device]:
            spans.append(Span(f"  ▲ {health[device.device]}", "bad"))
        lines.append(Line(tuple(spans)))
    return lines


def _unwell(device: DeviceInterval) -> str:
    """The health files of a device that say something."""
    return ", ".join(
        f"{clean(name)} {clean(str(value))}"
        for name, value in (device.health or {}).items()
        if not name.endswith("heartbeat") and str(value).lower() not in _HEALTHY
    )


def _executions(interval: Interval, why: Callable[[str], str]) -> list[Line]:
    """Errors of executions by process, or why nobody knows of any."""
    known = [process for process in interval.processes if process.errors_total is not None]
    if not known:
        reason = why("process_errors_total") if interval.processes else ""
        return [Line((Span(f"execution errors {NOT_KNOWN}: {reason}", "dim"),))] if reason else []
    lines = []
    for process in known:
        kinds = ", ".join(f"{name} {count:,}" for name, count in (process.errors_total or {}).items() if count)
        if kinds:
            tag = f" {clean(process.tag)}" if process.tag and process.tag != str(process.pid) else ""
            lines.append(Line((Span(f"{process.pid}{tag}: ", "strong"), Span(kinds, "warn"))))
    return lines or [Line((Span("✓", "good"), Span(f" no execution error in {counted(len(known), 'process')}")))]
