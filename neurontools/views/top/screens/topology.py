"""The page of the topology: the devices as their links join them, and the links of the selected one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.views.top import plan as places
from neurontools.views.top.links import Map, all_devices, map_of
from neurontools.views.top.panels import footer, topology
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block
from neurontools.views.top.state import why_unknown

DRAWING, NEIGHBOURS = "drawing", "neighbours"
_SIDE_WIDTH, _SIDE = 150, 56
_TABLE = 10


class TopologyScreen(PageScreen):
    """`selected` is a device; None until one was chosen, then the first is meant."""

    ABOUT = About("topology", "t", "Topology")
    SECTIONS = (DRAWING, NEIGHBOURS)
    HINTS = (
        footer.QUIT,
        footer.HELP,
        footer.PAUSE,
        Hint("arrows", "select a device", "select", "step(1)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(0, -1)", "The device to the left"),
        Binding("right", "move(0, 1)", "The device to the right"),
        Binding("up", "move(-1, 0)", "The device above"),
        Binding("down", "move(1, 0)", "The device below"),
        Binding("a,A", "step(-1)", "The device with the number before"),
        Binding("d,D", "step(1)", "The device with the next number"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.selected: int | None = None
        self.map: Map | None = None

    def forget(self) -> None:
        """Another host has other devices."""
        self.selected = self.map = None

    def prepare(self) -> None:
        """What is drawn."""
        session = self.session
        if session.interval is not None and session.inventory is not None:
            self.map = map_of(session.interval, session.inventory)

    @property
    def device(self) -> int:
        """The selected device, or the first; 0 where there is none."""
        devices = all_devices(self.map.rows) if self.map is not None else []
        return self.selected if self.selected in devices and self.selected is not None else min(devices, default=0)

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """The drawing, beside or above the table."""
        if width >= _SIDE_WIDTH:
            (whole,) = places.whole(width, height, top, body, DRAWING).values() or (Place(0, 0, 0, 0),)
            if not whole.width:
                return {}
            side = whole._replace(x=width - _SIDE, width=_SIDE)
            return {DRAWING: whole._replace(width=width - _SIDE), NEIGHBOURS: side}
        lower = _TABLE if body >= 3 * _TABLE - 4 else 0
        found = places.whole(width, height, top, body - lower, DRAWING)
        return found | (places.whole(width, height, top + body - lower, lower, NEIGHBOURS) if lower else {})

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        return () if name == places.FOOTER else (self.map, self.device)

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        interval, width = self.session.interval, place.inner[0]
        if self.map is None or interval is None:
            return Block()

        def why() -> str:
            return why_unknown(interval.head, "link_transmitted_bytes_per_s")

        if name == DRAWING:
            return topology.render(self.map, self.device, width, why)
        return topology.neighbour_table(self.map, self.device, width, why)

    def action_move(self, rows: int, columns: int) -> None:
        """The device there, if there is one."""
        if self.map is None:
            return
        for y, row in enumerate(self.map.rows):
            if self.device in row:
                y, x = y + rows, row.index(self.device) + columns
                if 0 <= y < len(self.map.rows) and 0 <= x < len(self.map.rows[y]):
                    self.action_select_device(self.map.rows[y][x])
                return

    def action_step(self, step: int) -> None:
        """The device with the next number, or the one before."""
        devices = sorted(all_devices(self.map.rows)) if self.map is not None else []
        if devices:
            self.action_select_device(devices[(devices.index(self.device) + step) % len(devices)])

    def action_select_device(self, device: int) -> None:
        """Selects a device."""
        self.selected = device
        self.update()
