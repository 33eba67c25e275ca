"""The official screen: cores, vCPU, memory and the memory tree of one host, with a tab for each process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.schema.inventory import Inventory
from neurontools.views.top import plan as places
from neurontools.views.top.cells import MODES
from neurontools.views.top.panels import cores, details, footer, summary, vcpu, vitals
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place, Shape
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block
from neurontools.views.top.state import Contents, Title, View, Vitals, contents, find_process, tabs
from neurontools.views.top.tree import Node, openable, tree_rows

_PAGE = 10
_EVERYWHERE = 1_000_000
_PARTS: dict[str, Callable[[Contents], object]] = {
    places.VITALS: lambda shown: shown.vitals,
    places.CORES: lambda shown: shown.cores,
    places.VCPU: lambda shown: shown.vcpu,
    places.MEMORY: lambda shown: shown.memory,
    places.DETAILS: lambda shown: shown.tree,
    places.FOOTER: lambda shown: (shown.tabs, shown.why_no_tabs),
}


class OverviewScreen(PageScreen):
    """The whole host at a glance, and of one process what it has of it."""

    ABOUT = About("overview", "o", "Overview")
    SECTIONS = (places.VITALS, places.CORES, places.VCPU, places.MEMORY, places.DETAILS)
    HINTS = (
        footer.QUIT,
        footer.HELP,
        Hint("arrows", "move tree selection", "select"),
        Hint("enter", "expand/collapse tree item", "open", "toggle_node"),
        Hint("x", "expand/collapse entire tree", "all", "toggle_all"),
        Hint("a/d", "previous/next tab", "tab", "step_tab(1)"),
        Hint("f", "FLOPS on/off", "FLOPS", "next_mode"),
        Hint("1-9", "select tab", "tab"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f,F", "next_mode", "Utilization, TFLOPS, engines or memory of the cores"),
        Binding("c,C", "toggle_physical", "Logical or physical cores"),
        Binding("a,A", "step_tab(-1)", "The previous process tab"),
        Binding("d,D", "step_tab(1)", "The next process tab"),
        Binding("1", "select_tab(1)", "The tab with that number", key_display="1-9"),
        *(Binding(str(number), f"select_tab({number})") for number in range(2, 10)),
        Binding("up", "move(-1)", "Up the memory tree"),
        Binding("down", "move(1)", "Down the memory tree"),
        Binding("pageup", f"move(-{_PAGE})", "Up by ten rows"),
        Binding("pagedown", f"move({_PAGE})", "Down by ten rows"),
        Binding("home", f"move(-{_EVERYWHERE})", "To the first row"),
        Binding("end", f"move({_EVERYWHERE})", "To the last row"),
        Binding("left", "close_node", "Close the row, or go to its parent"),
        Binding("right", "open_node", "Open the row, or go into it"),
        Binding("enter", "toggle_node", "Open or close the row"),
        Binding("x,X", "toggle_all", "Open or close the whole tree"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.view = View()
        self.shown: Contents | None = None
        self.forget()

    def forget(self) -> None:
        """Another host: what was selected is not of this one; the first device is open, as an example."""
        inventory = self.session.inventory
        opened = _first_device(inventory) if inventory is not None else frozenset()
        self.view = View(mode=self.view.mode, physical=self.view.physical, opened=opened)
        self.shown = None

    def prepare(self) -> None:
        """Makes the contents of all sections."""
        session = self.session
        if session.interval is not None and session.inventory is not None:
            self.shown = contents(session.interval, session.inventory, self.view, session.trends)

    def lay_out(self, width: int, height: int) -> dict[str, Place]:
        """The places of the sections: the cores first."""
        rows = self.shown.cores.rows if self.shown is not None else ()
        shape = Shape(len(rows), max((len(row.cells) for row in rows), default=0))
        vitals = self.shown is not None and self.shown.vitals != Vitals()
        return places.plan(width, height, shape, bool(self.session.trouble), vitals)

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        return _PARTS[name](self.shown) if self.shown is not None else None

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        shown, (width, height) = self.shown, place.inner
        if shown is None:
            return Block()
        match name:
            case places.VITALS:
                return vitals.render(shown.vitals, width)
            case places.CORES:
                return cores.render(shown.cores, width, height)
            case places.VCPU:
                return vcpu.render(shown.vcpu, width, height)
            case places.MEMORY:
                return summary.render(shown.memory, width, height)
            case _:
                return details.render(shown.tree, width)

    def headline(self) -> Title | None:
        """The first line, with the tokens of the tab's process."""
        return self.shown.title if self.shown is not None else None

    def foot(self, width: int) -> Block:
        """The tabs of the processes, and the keys."""
        if self.shown is None:
            return super().foot(width)
        return footer.render(self.shown.tabs, self.shown.why_no_tabs, self.HINTS, width)

    def _choose(self, **changes: object) -> None:
        self.view = self.view._replace(**changes)  # type: ignore[arg-type]
        self.update()

    def _selected(self) -> Node | None:
        rows = self.shown.tree if self.shown is not None else None
        return rows.nodes[rows.selected] if rows is not None and rows.selected is not None else None

    def action_move(self, rows: int) -> None:
        """Moves the selection in the tree."""
        tree = self.shown.tree if self.shown is not None else None
        if tree is not None and tree.selected is not None:
            place = max(0, min(len(tree.nodes) - 1, tree.selected + rows))
            self._choose(selected=tree.nodes[place].path)

    def action_toggle_node(self) -> None:
        """Opens or closes the selected node."""
        node = self._selected()
        if node is not None and node.opened is not None:
            self._choose(opened=self.view.opened ^ {node.path}, selected=node.path)

    def action_open_node(self) -> None:
        """Opens the selected node; if it is open, goes to its first child."""
        node = self._selected()
        if node is not None and node.opened is False:
            self.action_toggle_node()
        elif node is not None and node.opened:
            self.action_move(1)

    def action_close_node(self) -> None:
        """Closes the selected node; if there is nothing to close, goes to its parent."""
        node = self._selected()
        if node is None:
            return
        if node.opened:
            self.action_toggle_node()
        elif len(node.path) > 1:
            self._choose(selected=node.path[:-1])

    def action_toggle_all(self) -> None:
        """Opens the whole tree, or closes it if it is open."""
        if self.session.interval is None:
            return
        interval = self.session.interval
        process = find_process(interval, self.view.tab)
        every = openable(lambda opened: tree_rows(interval, process, opened, None))
        self._choose(opened=frozenset() if every <= self.view.opened else every)

    def action_next_mode(self) -> None:
        """The next measure of the cores."""
        self._choose(mode=MODES[(MODES.index(self.view.mode) + 1) % len(MODES)])

    def action_toggle_physical(self) -> None:
        """The cores as the hardware numbers them, or as everything else does."""
        self._choose(physical=not self.view.physical)

    def action_select_device(self, device: int) -> None:
        """Selects a device in the tree."""
        self._choose(selected=(device,))

    def action_step_tab(self, step: int) -> None:
        """The previous or next tab, round the corner too."""
        if self.shown is not None:
            current = next(place for place, tab in enumerate(self.shown.tabs) if tab.current)
            self._choose(tab=self.shown.tabs[(current + step) % len(self.shown.tabs)].key)

    def action_select_tab(self, number: int) -> None:
        """The tab with this number, if there is one."""
        if self.session.interval is not None and number <= len(every := tabs(self.session.interval, None)):
            self._choose(tab=every[number - 1].key)


def _first_device(inventory: Inventory) -> frozenset[tuple[int | str, ...]]:
    """What is open at first: the first device, as an example."""
    return frozenset({(inventory.devices[0].device,)}) if inventory.devices else frozenset()
