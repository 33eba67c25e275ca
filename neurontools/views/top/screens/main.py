"""The official screen: cores, vCPU, memory and the memory tree of one host, with a tab for each process."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.views.top import plan as places
from neurontools.views.top.panels import cores, details, footer, summary, title, vcpu
from neurontools.views.top.panels.panel import Panel
from neurontools.views.top.plan import Place, Shape, plan
from neurontools.views.top.reader import Reading
from neurontools.views.top.spans import Block, Line, Span, clean, cut
from neurontools.views.top.state import Contents, View, contents, find_process, tabs
from neurontools.views.top.tree import Node, openable, tree_rows

_PAGE = 10
_EVERYWHERE = 1_000_000
_PARTS: dict[str, Callable[[Contents], object]] = {
    places.TITLE: lambda shown: shown.title,
    places.CORES: lambda shown: shown.cores,
    places.VCPU: lambda shown: shown.vcpu,
    places.MEMORY: lambda shown: shown.memory,
    places.DETAILS: lambda shown: shown.tree,
    places.FOOTER: lambda shown: (shown.tabs, shown.why_no_tabs),
}
_LIVE = (places.BANNER, places.FOOTER)
_RETRYING = ", retrying"


class MainScreen(Screen[None]):
    """Shows one reading after the other; what the person chose outlives them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)"),
        Binding("down", "move(1)"),
        Binding("pageup", f"move(-{_PAGE})"),
        Binding("pagedown", f"move({_PAGE})"),
        Binding("home", f"move(-{_EVERYWHERE})"),
        Binding("end", f"move({_EVERYWHERE})"),
        Binding("left", "close_node"),
        Binding("right", "open_node"),
        Binding("enter", "toggle_node"),
        Binding("x,X", "toggle_all"),
        Binding("a,A", "step_tab(-1)"),
        Binding("d,D", "step_tab(1)"),
        Binding("f,F", "toggle_flops"),
        *(Binding(str(number), f"select_tab({number})") for number in range(1, 10)),
    ]

    def __init__(self, version: str, reading: Reading) -> None:
        super().__init__()
        self.version = version
        self.inventory: Inventory | None = None
        self.interval: Interval | None = None
        self.view = View()
        self.shown: Contents | None = None
        self.trouble = ""
        self.stale = False
        self._places: dict[str, Place] = {}
        self._drawn: dict[str, tuple[object, Place, bool]] = {}
        self._panels = {name: Panel(name) for name in places.SECTIONS}
        self._take(reading)

    def compose(self) -> ComposeResult:
        """One panel for each section; the plan decides which of them are shown."""
        yield from self._panels.values()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.update()

    def receive(self, reading: Reading) -> None:
        """Shows a new reading; if it failed, the last values stay, dimmed, under the reason."""
        self._take(reading)
        self.update()

    def mark_silent(self, seconds: int) -> None:
        """The source has not answered for so long."""
        self.trouble = f"source silent for {seconds} s"
        self.stale = True
        self.update()

    def update(self) -> None:
        """Makes the contents anew and draws the sections that differ from what is on the screen."""
        if not self.is_mounted:
            return
        if self.interval is not None and self.inventory is not None:
            self.shown = contents(self.interval, self.inventory, self.view)
        self._lay_out()
        for name, place in self._places.items():
            stale = self.stale and name not in _LIVE
            drawn = (self._part(name), place, stale)
            if drawn != self._drawn.get(name):
                self._drawn[name] = drawn
                self._panels[name].show(self._block(name, place), place, stale)

    def _take(self, reading: Reading) -> None:
        self.stale = bool(reading.error)
        self.trouble = f"source lost: {clean(reading.error)}" if reading.error else ""
        if reading.inventory is not None:
            if reading.inventory.instance_type != (self.inventory.instance_type if self.inventory else ""):
                # Another host: what was selected and the last values are not of this one.
                self.view = View(flops=self.view.flops, opened=_first_device(reading.inventory))
                self.interval = self.shown = None
            self.inventory = reading.inventory
        if reading.interval is not None:
            self.interval = reading.interval
        if self.interval is None and reading.waiting:
            self.trouble = f"nothing to show yet: {reading.waiting}"

    def _lay_out(self) -> None:
        rows = self.shown.cores.rows if self.shown is not None else ()
        shape = Shape(len(rows), max((len(row.cells) for row in rows), default=0))
        now = plan(*self.size, shape, bool(self.trouble))
        if now != self._places:
            self._places = now
            for name, panel in self._panels.items():
                panel.put(now.get(name))

    def _part(self, name: str) -> object:
        """What a section is drawn from."""
        if name == places.BANNER:
            return self.trouble
        return _PARTS[name](self.shown) if self.shown is not None else None

    def _block(self, name: str, place: Place) -> Block:
        shown, (width, height) = self.shown, place.inner
        if name == places.BANNER:
            return _banner(self.trouble, width)
        if shown is None:
            return title.waiting(self.version, width) if name == places.TITLE else Block()
        match name:
            case places.TITLE:
                return title.render(shown.title, self.version, width)
            case places.CORES:
                return cores.render(shown.cores, width, height)
            case places.VCPU:
                return vcpu.render(shown.vcpu, width, height)
            case places.MEMORY:
                return summary.render(shown.memory, width, height)
            case places.DETAILS:
                return details.render(shown.tree, width)
            case _:
                return footer.render(shown.tabs, shown.why_no_tabs, width)

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
        if self.interval is None:
            return
        interval, process = self.interval, find_process(self.interval, self.view.tab)
        every = openable(lambda opened: tree_rows(interval, process, opened, None))
        self._choose(opened=frozenset() if every <= self.view.opened else every)

    def action_toggle_flops(self) -> None:
        """Utilization or TFLOPS."""
        self._choose(flops=not self.view.flops)

    def action_step_tab(self, step: int) -> None:
        """The previous or next tab, round the corner too."""
        if self.shown is not None:
            current = next(place for place, tab in enumerate(self.shown.tabs) if tab.current)
            self._choose(tab=self.shown.tabs[(current + step) % len(self.shown.tabs)].key)

    def action_select_tab(self, number: int) -> None:
        """The tab with this number, if there is one."""
        if self.interval is not None and number <= len(every := tabs(self.interval, None)):
            self._choose(tab=every[number - 1].key)


def _banner(trouble: str, width: int) -> Block:
    """What is wrong, cut if it must be, and that it is being tried again."""
    text = cut((Span(f" {trouble}", "alert"),), max(0, width - len(_RETRYING)))
    spans = [Span(span.text.rstrip() if span.role == "text" else span.text, "alert") for span in text]
    return Block(rows=(Line(cut((*spans, Span(_RETRYING, "alert")), width), "alert"),))


def _first_device(inventory: Inventory) -> frozenset[tuple[int | str, ...]]:
    """What is open at first: the first device, as an example."""
    return frozenset({(inventory.devices[0].device,)}) if inventory.devices else frozenset()
