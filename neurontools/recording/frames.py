"""What a recording holds of one instant, and what of it is left out unless asked for."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from neurontools.schema.events import PROCESS_END, PROCESS_START, Event, Events
from neurontools.schema.inventory import Inventory
from neurontools.schema.snapshot import Process, Snapshot

RECORDING = "recording"
"""The kind of origin of what is read from a recording."""


class Frame(NamedTuple):
    """A reading, what happened since the one before, and what was installed."""

    snapshot: Snapshot
    inventory: Inventory
    events: Events = Events()

    @property
    def time_ns(self) -> int:
        """The instant of the reading."""
        return self.snapshot.head.time_ns


def replayed(frame: Frame) -> Frame:
    """The frame as one that was recorded: where it once came from is then the detail of its origin."""
    head = frame.snapshot.head
    origin = replace(head.origin, kind=RECORDING, detail=head.origin.kind)
    return frame._replace(
        snapshot=replace(frame.snapshot, head=replace(head, origin=origin)),
        inventory=frame.inventory._replace(origin=RECORDING),
    )


def without_arguments(frame: Frame) -> Frame:
    """The frame with the programs' names instead of their command lines, which can hold passwords and prompts."""
    snapshot, inventory, events = frame
    processes = snapshot.processes and tuple(map(_named, snapshot.processes))
    devices = tuple(
        device._replace(holders=tuple(holder._replace(command=program(holder.command)) for holder in device.holders))
        for device in inventory.devices
    )
    return Frame(
        replace(snapshot, processes=processes),
        inventory._replace(devices=devices),
        replace(events, events=tuple(map(_bare, events.events))) if events.events else events,
    )


def program(command: str) -> str:
    """The first word of a command line."""
    return command.split(maxsplit=1)[0] if command.strip() else ""


def _named(process: Process) -> Process:
    return process if process.command is None else replace(process, command=program(process.command))


def _bare(event: Event) -> Event:
    """An event of a process is told as its command line, and after a colon how it ended."""
    if event.kind == PROCESS_START:
        return replace(event, text=program(event.text))
    if event.kind == PROCESS_END:
        command, colon, how = event.text.rpartition(": ")
        return replace(event, text=f"{program(command)}{colon}{how}")
    return event
