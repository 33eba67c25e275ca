"""A reading without what identifies a host, its people and their work: for recordings that others may see."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from neurontools.recording.frames import Frame
from neurontools.schema.allocations import Allocations
from neurontools.schema.events import KERNEL_LOG, RUNTIME_LOG, Event
from neurontools.schema.inventory import NO_INSTANCE_ID, Holder, Inventory
from neurontools.schema.snapshot import Device, Gap, Model, Process, Snapshot

KINDS = (
    *("instance ids", "names of the instance, its image and network", "serial numbers", "host names", "boot ids"),
    *("command lines", "users", "tags", "pods and jobs", "names of models"),
)
"""What is replaced."""

_PROGRAM = "program"
_INSTANCE = re.compile(r"\bi-[0-9a-f]{8,17}\b")
_HOST_NAME = re.compile(r"(?<=hostname=)\S+")
_SERIAL = re.compile(r"(?<=serial-num=)\S+")
_QUOTED = re.compile(r'"[^"\n]*"')


class Anonymous:
    """Replaces names, each by one of its own that stays the same: what belongs together is still seen to."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def frame(self, frame: Frame) -> Frame:
        """The reading with other names."""
        events = replace(frame.events, events=tuple(self.event(event) for event in frame.events.events))
        maps = tuple(self._bank_maps(each) for each in frame.allocations)
        return Frame(self._snapshot(frame.snapshot), self.inventory(frame.inventory), events, maps)

    def inventory(self, inventory: Inventory) -> Inventory:
        """What is installed, with other names."""
        devices = tuple(
            device._replace(
                holders=tuple(Holder(each.pid, _PROGRAM, each.neuron_runtime_version) for each in device.holders)
            )
            for device in inventory.devices
        )
        return inventory._replace(
            instance_id=NO_INSTANCE_ID if inventory.instance_id else "",
            instance_name="",
            availability_zone="",
            availability_zone_id="",
            ami_id="",
            subnet_id="",
            ultraserver_id="",
            devices=devices,
            gaps=tuple((part, self.text(reason)) for part, reason in inventory.gaps),
        )

    def event(self, event: Event) -> Event:
        """What happened: of a process how it ended, of a log its line without names."""
        if event.kind in (KERNEL_LOG, RUNTIME_LOG):
            return replace(event, text=_QUOTED.sub('"model"', self.text(event.text)))
        _, colon, how = event.text.rpartition(": ")
        return replace(event, text=f"{_PROGRAM}: {how}" if colon else _PROGRAM)

    def text(self, text: str) -> str:
        """A line without instance ids, host names and serial numbers."""
        text = _SERIAL.sub(lambda found: self._another("serial", found[0]), _HOST_NAME.sub("host", text))
        return _INSTANCE.sub(NO_INSTANCE_ID, text)

    def gaps(self, gaps: Mapping[str, Gap]) -> dict[str, Gap]:
        """Reasons, without names."""
        return {part: replace(gap, reason=self.text(gap.reason)) for part, gap in gaps.items()}

    def _another(self, kind: str, name: str) -> str:
        known = self._known.setdefault(kind, {})
        return known.setdefault(name, f"{kind}-{len(known) + 1}")

    def _snapshot(self, snapshot: Snapshot) -> Snapshot:
        head = replace(
            snapshot.head, boot_id=self._another("boot", snapshot.head.boot_id), gaps=self.gaps(snapshot.head.gaps)
        )
        processes = snapshot.processes
        return replace(
            snapshot,
            head=head,
            devices=tuple(self._device(device) for device in snapshot.devices),
            processes=None if processes is None else tuple(self._process(process) for process in processes),
        )

    def _device(self, device: Device) -> Device:
        number = device.serial_number
        return device if number is None else replace(device, serial_number=self._another("serial", number))

    def _process(self, process: Process) -> Process:
        models = process.models
        return replace(
            process,
            user=None if process.user is None else self._another("user", process.user),
            tag=None if process.tag is None else self._another("process", process.tag),
            command=None if process.command is None else _PROGRAM,
            job=None,
            models=None if models is None else tuple(self._model(model) for model in models),
        )

    def _model(self, model: Model) -> Model:
        return replace(model, name=self._another("model", model.name), uuid=self._another("uuid", model.uuid))

    def _bank_maps(self, maps: Allocations) -> Allocations:
        banks = tuple(
            replace(
                bank,
                allocations=tuple(
                    replace(each, model=self._another("model", each.model) if each.model else "")
                    for each in bank.allocations
                ),
            )
            for bank in maps.banks
        )
        return replace(maps, banks=banks)
