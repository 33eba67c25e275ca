"""What a recording holds of one instant, and what of it is left out unless asked for."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from neurontools.schema.allocations import Allocations
from neurontools.schema.document import Document
from neurontools.schema.events import PROCESS_END, PROCESS_START, Event, Events
from neurontools.schema.inventory import NO_INSTANCE_ID, RECORDING, REPLAY, REPLAY_MARK, Inventory
from neurontools.schema.snapshot import Process, Snapshot


class BankMaps(Document, frozen=True, kw_only=True):
    """The bank maps of some devices at one instant."""

    devices: tuple[Allocations, ...] = ()


class Frame(NamedTuple):
    """A reading, what happened since the one before, what was installed, and the bank maps that were taken with it."""

    snapshot: Snapshot
    inventory: Inventory
    events: Events = Events()
    allocations: tuple[Allocations, ...] = ()

    @property
    def time_ns(self) -> int:
        """The instant of the reading."""
        return self.snapshot.head.time_ns


def replayed(frame: Frame) -> Frame:
    """The frame as one that was recorded: where it once came from is then the detail of its origin.

    Every field by which formats that are AWS's to the byte name the host says so, too.
    """
    head = frame.snapshot.head
    origin = replace(head.origin, kind=RECORDING, detail=head.origin.kind)
    return frame._replace(
        snapshot=replace(frame.snapshot, head=replace(head, origin=origin)),
        inventory=_replayed_inventory(frame.inventory),
    )


def _replayed_inventory(inventory: Inventory) -> Inventory:
    marked = inventory._replace(
        origin=RECORDING,
        instance_id=NO_INSTANCE_ID,
        instance_name=REPLAY_MARK + (inventory.instance_name or inventory.instance_id),
    )
    if inventory.simulated:
        return marked
    return marked._replace(
        region=REPLAY,
        availability_zone=REPLAY,
        availability_zone_id=REPLAY,
        ami_id="",
        subnet_id="",
        ultraserver_id="",
    )


def without_arguments(frame: Frame) -> Frame:
    """The frame with the programs' names instead of their command lines, which can hold passwords and prompts."""
    snapshot, inventory, events, allocations = frame
    processes = snapshot.processes and tuple(map(_named, snapshot.processes))
    devices = tuple(
        device._replace(holders=tuple(holder._replace(command=program(holder.command)) for holder in device.holders))
        for device in inventory.devices
    )
    return Frame(
        replace(snapshot, processes=processes),
        inventory._replace(devices=devices),
        replace(events, events=tuple(map(_bare, events.events))) if events.events else events,
        allocations,
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
