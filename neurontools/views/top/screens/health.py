"""The page of the host's health: what is wrong and what to do, what cannot be told, errors counted, and the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from neurontools.schema.events import KERNEL_LOG, Event
from neurontools.views.top import plan as places
from neurontools.views.top.panels import faults, findings, footer
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block
from neurontools.views.top.state import why_unknown

FINDINGS, BLIND, COUNTERS, LOG = "findings", "blind", "counters", "log"
_SIDE_WIDTH = 140
_PAGE = 10


class HealthScreen(PageScreen):
    """`chosen` is the section that the arrows scroll; `kernel_only` leaves out of the log what is not the kernel's."""

    ABOUT = About("health", "e", "Health")
    SECTIONS = (FINDINGS, BLIND, COUNTERS, LOG)
    HINTS = (
        footer.QUIT,
        footer.HELP,
        footer.PAUSE,
        Hint("arrows", "scroll", action="scroll_rows(1)"),
        Hint("n", "next section", "section", "next_section"),
        Hint("l", "kernel's log only", "kernel", "toggle_kernel"),
        Hint(", .", "to when it happened", "when", "app.to_marker(-1)"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_rows(-1)", "Scroll up"),
        Binding("down", "scroll_rows(1)", "Scroll down"),
        Binding("pageup", f"scroll_rows(-{_PAGE})", "Scroll up by ten rows"),
        Binding("pagedown", f"scroll_rows({_PAGE})", "Scroll down by ten rows"),
        Binding("n,N", "next_section", "The next section is the one that scrolls"),
        Binding("l,L", "toggle_kernel", "The kernel's lines only, or all that happened"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.chosen = 0
        self.kernel_only = False
        self.events: tuple[Event, ...] = ()

    def prepare(self) -> None:
        """What happened."""
        events = self.session.events()
        self.events = tuple(event for event in events if event.kind == KERNEL_LOG or not self.kernel_only)

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """Findings first and largest; on a small terminal what is not in sight can be scrolled."""
        framed = places.whole(width, height, top, body, FINDINGS)
        if not framed:
            return {}
        frame = framed[FINDINGS].framed
        if width >= _SIDE_WIDTH and body >= 12:
            half, upper = width // 2, body * 3 // 5
            return {
                FINDINGS: Place(0, top, half, upper, frame),
                BLIND: Place(0, top + upper, half, body - upper, frame),
                COUNTERS: Place(half, top, width - half, upper, frame),
                LOG: Place(half, top + upper, width - half, body - upper, frame),
            }
        shares = {FINDINGS: 40, COUNTERS: 18, LOG: 24, BLIND: 18}
        order = [name for name in shares if body >= 12 or name in (FINDINGS, LOG)]
        whole = sum(shares[name] for name in order)
        found, y, done = {}, top, 0
        for name in order:
            done += shares[name]
            bottom = top + body * done // whole
            if bottom > y:
                found[name] = Place(0, y, width, bottom - y, frame)
            y = bottom
        return found

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        if name == places.FOOTER:
            return self.kernel_only
        if name == LOG:
            return (self.events[:1], len(self.events), self.chosen)
        diagnosis = self.session.diagnosis
        if name == COUNTERS:
            interval = self.session.interval
            devices = interval.devices if interval is not None else ()
            errors = [process.errors_total for process in interval.processes] if interval is not None else []
            return ([(device.ecc_total, device.ecc, device.health) for device in devices], errors, self.chosen)
        return (diagnosis, self.chosen, self.session.now_ns // 10**10)

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        session, width = self.session, place.inner[0]
        interval = session.interval
        if name == FINDINGS:
            return self._marked(name, findings.findings(session.diagnosis, session.now_ns, width))
        if name == BLIND:
            return self._marked(name, findings.blind_spots(session.diagnosis, width))
        if interval is None:
            return Block()
        if name == COUNTERS:
            return self._marked(name, faults.counters(interval, width, lambda each: why_unknown(interval.head, each)))
        gap = interval.head.gaps.get("kernel_log")
        return self._marked(name, faults.log(self.events, width, gap.reason if gap is not None else ""))

    def action_next_section(self) -> None:
        """Another section scrolls."""
        shown = [name for name in self.SECTIONS if name in self._places]
        if shown:
            self.chosen = (self.chosen + 1) % len(shown)
            self.update()

    def action_scroll_rows(self, rows: int) -> None:
        """Scrolls the chosen section."""
        self._panels[self._chosen()].scroll_rows(rows)

    def action_toggle_kernel(self) -> None:
        """The kernel's lines, or all."""
        self.kernel_only = not self.kernel_only
        self.update()

    def _chosen(self) -> str:
        shown = [name for name in self.SECTIONS if name in self._places] or [FINDINGS]
        return shown[self.chosen % len(shown)]

    def _marked(self, name: str, block: Block) -> Block:
        """The section that scrolls has a sign in its heading."""
        if name != self._chosen():
            return block
        first, *rest = block.heading
        return block._replace(heading=(first._replace(text=f"▸ {first.text}"), *rest))
