"""The page of the memory: by device and process, the official tree, and who holds which part of a device's banks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.views.top import plan as places
from neurontools.views.top.messages import Wanted
from neurontools.views.top.panels import details, footer, memory, summary
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.screens.tree import TreeKeys
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block
from neurontools.views.top.state import View, contents, why_unknown

DEVICES, OWNERS, BANKS, TREE, SUMMARY = "devices", "owners", "banks", "tree", "summary"
_SIDE_WIDTH = 130
_NOT_REMEMBERED = "bank maps are not remembered"
_OF_ROWS = ("toggle_node", "open_node", "close_node", "toggle_all")


class MemoryScreen(PageScreen, TreeKeys):
    """With `as_tree` the official tree is in front, else devices, processes and the bank map of the selected device."""

    ABOUT = About("memory", "m", "Memory")
    SECTIONS = (DEVICES, OWNERS, BANKS, TREE, SUMMARY)
    HINTS = (
        footer.QUIT,
        footer.HELP,
        footer.PAUSE,
        Hint("arrows", "select", action="move(1)"),
        Hint("v", "tree or devices", "tree", "toggle_tree"),
    )
    OF_TREE = (
        *HINTS,
        Hint("enter", "expand/collapse tree item", "open", "toggle_node"),
        Hint("x", "expand/collapse entire tree", "all", "toggle_all"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *TreeKeys.TREE_BINDINGS,
        Binding("v,V", "toggle_tree", "The official tree, or devices, processes and banks"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.as_tree = False
        self.forget()

    def forget(self) -> None:
        """Another host: what was selected is not of this one."""
        self.begin_tree()

    @property
    def bank_map_of(self) -> int | None:
        """The device whose bank map is shown."""
        return None if self.as_tree or self.session.rewound else self.device

    @property
    def device(self) -> int:
        """The selected device."""
        selected = self.view.selected
        inventory = self.session.inventory
        devices = [each.device for each in inventory.devices] if inventory is not None else []
        if selected and isinstance(selected[0], int) and selected[0] in devices:
            return selected[0]
        return min(devices, default=0)

    def prepare(self) -> None:
        """The tree, and the summary beside it."""
        session = self.session
        if session.interval is not None and session.inventory is not None:
            view = View(opened=self.view.opened, selected=self.view.selected)
            self.shown = contents(session.interval, session.inventory, view)

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """The tree with the summary; or devices above, processes beside or below, and the banks below."""
        (whole,) = places.whole(width, height, top, body, TREE).values() or (None,)
        if whole is None:
            return {}
        frame = whole.framed
        if self.as_tree:
            if width < _SIDE_WIDTH:
                return {TREE: whole}
            side = 56
            return {
                TREE: whole._replace(width=width - side),
                SUMMARY: whole._replace(x=width - side, width=side),
            }
        inventory = self.session.inventory
        count = len(inventory.devices) if inventory is not None else 0
        around = 2 + frame
        upper = min(count + around, max(body * 2 // 5, body - 18) if body >= 14 else body)
        lower = body - upper
        if width >= _SIDE_WIDTH:
            half = width * 11 // 20
            found = {
                DEVICES: Place(0, top, half, upper, frame),
                OWNERS: Place(half, top, width - half, upper, frame),
            }
            return found | ({BANKS: Place(0, top + upper, width, lower, frame)} if lower > 2 else {})
        middle = lower // 3
        found = {DEVICES: Place(0, top, width, upper, frame)}
        if middle > 2:
            found[OWNERS] = Place(0, top + upper, width, middle, frame)
        if lower - middle > 2:
            found[BANKS] = Place(0, top + upper + middle, width, lower - middle, frame)
        return found

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        session, interval = self.session, self.session.interval
        if name == places.FOOTER or interval is None or self.shown is None:
            return self.as_tree
        if name == TREE:
            return (self.shown.tree, session.sizes)
        if name == SUMMARY:
            return (self.shown.memory, session.sizes)
        if name == BANKS:
            return (session.banks, self.device, session.sizes, session.rewound)
        if name == DEVICES:
            used = [(each.memory_used_bytes, each.banks) for each in interval.devices]
            return (used, [core.memory for core in interval.cores], self.device, session.sizes)
        return ([(each.pid, each.memory, each.host_memory) for each in interval.processes], session.sizes)

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        session, (width, height) = self.session, place.inner
        interval = session.interval
        if interval is None or self.shown is None:
            return Block()

        def why(metric: str) -> str:
            return why_unknown(interval.head, metric)

        match name:
            case "tree":
                return details.render(self.shown.tree, width, session.sizes)
            case "summary":
                return summary.render(self.shown.memory, width, height, session.sizes)
            case "devices":
                return memory.devices(interval, self.device, session.sizes, width, why)
            case "owners":
                return memory.owners(interval, session.sizes, width, why)
            case _:
                return self._banks(width, height)

    def hints(self, own: tuple[Hint, ...] = ()) -> tuple[Hint, ...]:
        """With the tree those of its rows, too."""
        return super().hints(self.OF_TREE if self.as_tree else own)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Rows of the tree are opened and closed where they are seen."""
        return self.as_tree or action not in _OF_ROWS

    def action_toggle_tree(self) -> None:
        """The tree, or the devices."""
        self.as_tree = not self.as_tree
        self.update()

    def action_move(self, rows: int) -> None:
        """Another row of the tree, or another device."""
        if self.as_tree:
            super().action_move(rows)
            return
        inventory = self.session.inventory
        devices = [each.device for each in inventory.devices] if inventory is not None else []
        if devices:
            place = devices.index(self.device) + rows
            self.action_select_device(devices[max(0, min(len(devices) - 1, place))])

    def action_select_device(self, device: int) -> None:
        """Selects a device, whose bank map is read at once."""
        self.choose(selected=(device,))
        self.post_message(Wanted())

    def _banks(self, width: int, height: int) -> Block:
        session = self.session
        read = session.banks
        if session.rewound:
            return memory.bank_map(None, self.device, {}, session.sizes, (width, height), _NOT_REMEMBERED)
        mine = read if read is not None and read.device == self.device else None
        names = {process.pid: process.tag or "" for process in (session.interval.processes if session.interval else ())}
        return memory.bank_map(
            mine.allocations if mine is not None else None,
            self.device,
            names,
            session.sizes,
            (width, height),
            mine.why if mine is not None else "",
        )
