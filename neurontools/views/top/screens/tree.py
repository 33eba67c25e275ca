"""The keys of the memory tree, which two pages show: move, open, close, one row or all of it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding

from neurontools.schema.inventory import Inventory
from neurontools.views.top.session import Session
from neurontools.views.top.state import Contents, View, find_process
from neurontools.views.top.tree import Node, Path, openable, tree_rows

_PAGE = 10
_EVERYWHERE = 1_000_000


class TreeKeys:
    """What a page needs that has a memory tree among its contents."""

    TREE_BINDINGS: ClassVar[tuple[Binding, ...]] = (
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
    )

    session: Session
    view = View()
    shown: Contents | None = None

    def update(self) -> None:
        """Draws what changed; the page does it."""

    def begin_tree(self) -> None:
        """Nothing is selected; the first device is open, as an example."""
        inventory = self.session.inventory
        opened = _first_device(inventory) if inventory is not None else frozenset()
        self.view = View(mode=self.view.mode, physical=self.view.physical, opened=opened)
        self.shown = None

    def choose(self, **changes: object) -> None:
        """Changes what is chosen."""
        self.view = self.view._replace(**changes)  # type: ignore[arg-type]
        self.update()

    def action_move(self, rows: int) -> None:
        """Moves the selection in the tree."""
        tree = self.shown.tree if self.shown is not None else None
        if tree is not None and tree.selected is not None:
            place = max(0, min(len(tree.nodes) - 1, tree.selected + rows))
            self.choose(selected=tree.nodes[place].path)

    def action_toggle_node(self) -> None:
        """Opens or closes the selected node."""
        node = self._selected()
        if node is not None and node.opened is not None:
            self.choose(opened=self.view.opened ^ {node.path}, selected=node.path)

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
            self.choose(selected=node.path[:-1])

    def action_toggle_all(self) -> None:
        """Opens the whole tree, or closes it if it is open."""
        interval = self.session.interval
        if interval is None:
            return
        process = find_process(interval, self.view.tab)
        every = openable(lambda opened: tree_rows(interval, process, opened, None))
        self.choose(opened=frozenset() if every <= self.view.opened else every)

    def _selected(self) -> Node | None:
        rows = self.shown.tree if self.shown is not None else None
        return rows.nodes[rows.selected] if rows is not None and rows.selected is not None else None


def _first_device(inventory: Inventory) -> frozenset[Path]:
    return frozenset({(inventory.devices[0].device,)}) if inventory.devices else frozenset()
