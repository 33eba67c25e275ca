"""`neuron-recorder list` and `info`: what recordings hold, without taking their readings apart."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.json import encode

from neurontools.commands import errors
from neurontools.commands.recorded import opened, recordings_at
from neurontools.recording import Recording
from neurontools.recording.directory import default_directory
from neurontools.schema.snapshot import Origin
from neurontools.schema.source import SourceError
from neurontools.units import format_bytes, format_duration_ns, format_time_ns

_NAME = "neuron-recorder"

_COLUMNS = ("FILE", "FROM", "LASTS", "READINGS", "PERIOD", "INSTANCE", "ORIGIN", "SIZE")
_NUMBERS = ("LASTS", "READINGS", "PERIOD", "SIZE")

_MS = 1_000_000


class Host(NamedTuple):
    """A host of a recording, and where its readings come from."""

    instance_type: str
    devices: int
    chip: str
    origin: str
    simulated: bool
    scenario: str | None

    @property
    def mark(self) -> str:
        """Where from, in a word or two; what is simulated says so."""
        return Origin(kind=self.origin, simulated=self.simulated, scenario=self.scenario).mark


class Facts(NamedTuple):
    """What is in a file. Periods are the mean steps of its parts; `events` is None where not all parts
    tell. `lost` are those readings that cannot be read, as far as that is known."""

    file: str
    bytes: int
    readings: int
    blocks: int
    events: int | None
    first_ns: int | None
    last_ns: int | None
    periods_ns: tuple[int, ...]
    hosts: tuple[Host, ...]
    command_lines: bool
    damage: tuple[str, ...]
    lost: int


def show_list(given: Mapping[str, str], operands: list[str]) -> None:
    """A line for each recording."""
    all_facts: list[Facts] = []
    unreadable: list[SourceError] = []
    for path in (file for operand in operands or [default_directory(os.environ)] for file in recordings_at(operand)):
        try:
            with opened(_NAME, path) as recording:
                all_facts.append(_facts(path, recording))
        except SourceError as error:
            # A disk that was full leaves empty files, and the others are what is looked for then.
            unreadable.append(error)
    if unreadable and not all_facts:
        raise unreadable[0]
    for each in unreadable:
        errors.say(f"{_NAME}: note: {each.reason}")
    if "json" in given:
        errors.write("".join(f"{_json(facts)}\n" for facts in all_facts))
    else:
        errors.write(_table([_COLUMNS, *map(_row, all_facts)]))


def show_info(given: Mapping[str, str], operands: list[str]) -> None:
    """All that is known of one recording."""
    (path,) = operands
    with opened(_NAME, path) as recording:
        recording.verify()
        facts = _facts(path, recording)
    errors.write(f"{_json(facts)}\n" if "json" in given else _paragraph(facts))


def _facts(path: str, recording: Recording) -> Facts:
    known = [about for block in recording.blocks if (about := recording.about(block)) is not None]
    hosts = {
        Host(
            about.inventory.instance_type,
            len(about.inventory.devices),
            about.inventory.chip,
            about.inventory.origin,
            about.inventory.simulated,
            about.inventory.scenario,
        ): None
        for about in known
    }
    blocks = [block for block in recording.blocks if block.frames]
    events = [block.events for block in recording.blocks]
    return Facts(
        file=path,
        bytes=recording.size,
        readings=sum(block.frames for block in blocks),
        blocks=len(recording.blocks),
        events=None if None in events else sum(count or 0 for count in events),
        first_ns=min((block.first_ns for block in blocks), default=None),
        last_ns=max((block.last_ns for block in blocks), default=None),
        periods_ns=_periods(recording),
        hosts=tuple(hosts),
        command_lines=any(about.command_lines for about in known),
        damage=tuple(map(str, recording.damage)),
        lost=sum(damage.frames or 0 for damage in recording.damage),
    )


def _periods(recording: Recording) -> tuple[int, ...]:
    steps = {
        round((block.last_ns - block.first_ns) / (block.frames - 1) / _MS) * _MS
        for block in recording.blocks
        if block.frames > 1
    }
    return tuple(sorted(steps))


def _json(facts: Facts) -> str:
    document: dict[str, Any] = facts._asdict() | {"hosts": [host._asdict() for host in facts.hosts]}
    return encode(document).decode()


def _row(facts: Facts) -> tuple[str, ...]:
    return (
        facts.file,
        _time(facts.first_ns),
        _lasts(facts),
        f"{facts.readings:,}",
        _period(facts),
        ", ".join(dict.fromkeys(host.instance_type for host in facts.hosts)) or "unknown",
        ", ".join(dict.fromkeys(host.mark for host in facts.hosts)) or "unknown",
        format_bytes(facts.bytes),
    )


def _paragraph(facts: Facts) -> str:
    lost = f", of which {facts.lost:,} cannot be read" if facts.lost else ""
    lines = {
        "host": "; ".join(f"{host.instance_type}, {host.devices} {host.chip}, {host.mark}" for host in facts.hosts),
        "from": _time(facts.first_ns),
        "to": f"{_time(facts.last_ns)}, {_lasts(facts)} later",
        "readings": f"{facts.readings:,}{lost}, one in {_period(facts)}, in {_count(facts.blocks, 'block')}",
        "events": "unknown" if facts.events is None else f"{facts.events:,}",
        "commands": "with their arguments" if facts.command_lines else "without their arguments",
        "size": f"{format_bytes(facts.bytes)}, {facts.bytes // max(1, facts.readings):,} bytes a reading",
        "damage": "none" if not facts.damage else _count(len(facts.damage), "place"),
    }
    return "".join([f"{facts.file}\n", *(f"{name:<10}{value}\n" for name, value in lines.items())])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(time_ns: int | None) -> str:
    return "unknown" if time_ns is None else format_time_ns(time_ns)


def _lasts(facts: Facts) -> str:
    if facts.first_ns is None or facts.last_ns is None:
        return "unknown"
    return format_duration_ns(facts.last_ns - facts.first_ns, 3)


def _period(facts: Facts) -> str:
    shown = [format_duration_ns(period) for period in facts.periods_ns]
    return " to ".join([shown[0], shown[-1]][: len(shown)]) if shown else "unknown"


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        )
        for row in rows
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)
