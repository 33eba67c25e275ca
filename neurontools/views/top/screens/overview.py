"""The official screen: cores, vCPU, memory and the memory tree of one host, with a tab for each process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.views.top import plan as places
from neurontools.views.top.cells import ENGINES, MODES
from neurontools.views.top.panels import cores, details, footer, summary, vcpu, vitals
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place, Shape
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.screens.tree import TreeKeys
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block
from neurontools.views.top.state import Contents, Title, Vitals, contents, tabs

_PARTS: dict[str, Callable[[Contents], object]] = {
    places.VITALS: lambda shown: shown.vitals,
    places.CORES: lambda shown: shown.cores,
    places.VCPU: lambda shown: shown.vcpu,
    places.MEMORY: lambda shown: shown.memory,
    places.DETAILS: lambda shown: shown.tree,
    places.FOOTER: lambda shown: (shown.tabs, shown.why_no_tabs),
}


class OverviewScreen(PageScreen, TreeKeys):
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
        *TreeKeys.TREE_BINDINGS,
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.forget()

    def forget(self) -> None:
        """Another host: what was selected is not of this one."""
        self.begin_tree()

    @property
    def registers(self) -> bool:
        """The engines' activity is in the device's registers."""
        return self.view.mode == ENGINES

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
        return (_PARTS[name](self.shown), self.session.sizes) if self.shown is not None else None

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
                return summary.render(shown.memory, width, height, self.session.sizes)
            case _:
                return details.render(shown.tree, width, self.session.sizes)

    def headline(self) -> Title | None:
        """The first line, with the tokens of the tab's process."""
        return self.shown.title if self.shown is not None else None

    def foot(self, width: int) -> Block:
        """The tabs of the processes, and the keys."""
        if self.shown is None:
            return super().foot(width)
        return footer.render(self.shown.tabs, self.shown.why_no_tabs, self.hints(), width)

    def action_next_mode(self) -> None:
        """The next measure of the cores."""
        self.choose(mode=MODES[(MODES.index(self.view.mode) + 1) % len(MODES)])

    def action_toggle_physical(self) -> None:
        """The cores as the hardware numbers them, or as everything else does."""
        self.choose(physical=not self.view.physical)

    def action_select_device(self, device: int) -> None:
        """Selects a device in the tree."""
        self.choose(selected=(device,))

    def action_step_tab(self, step: int) -> None:
        """The previous or next tab, round the corner too."""
        if self.shown is not None:
            current = next(place for place, tab in enumerate(self.shown.tabs) if tab.current)
            self.choose(tab=self.shown.tabs[(current + step) % len(self.shown.tabs)].key)

    def action_select_tab(self, number: int) -> None:
        """The tab with this number, if there is one."""
        if self.session.interval is not None and number <= len(every := tabs(self.session.interval, None)):
            self.choose(tab=every[number - 1].key)
