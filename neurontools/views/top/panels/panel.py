"""The one widget of neuron-top: it paints lines by the Line API and repaints only those that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from operator import itemgetter
from typing import ClassVar, Self

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from neurontools.views.top.panels.frame import compose, reveal
from neurontools.views.top.plain import to_ascii
from neurontools.views.top.plan import Place
from neurontools.views.top.spans import ROLES, Block, Line, Span, width_of

_WHEEL_ROWS = 3
_ALWAYS = frozenset({"faint", "frame", "mark", "alert", "selected", "jump"})
_STALE_ROLE = "dim"


class Panel(Widget):
    """A section at its place. Old values are painted dim."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"top--{role}" for role in ROLES}
    can_focus = False

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self.block = Block()
        self.place = Place(0, 0, 0, 0)
        self.stale = False
        self.first = 0
        self.shown: list[Line] = []
        self.labels: dict[int, list[tuple[int, str]]] = {}
        """What is painted over the lines: by line the columns and the letters."""
        self._strips: dict[int, Strip] = {}
        self._painted: tuple[object, list[Strip]] | None = None
        """What was painted last, and for which size and filters, until something changes."""
        self._styles: dict[tuple[str, str], Style] = {}
        self._filters: Sequence[LineFilter] = ()

    def put(self, place: Place | None) -> None:
        """Moves the panel to its place, or hides it."""
        if place is None:
            self.display = False
            return
        self.display = True
        self.styles.offset = (place.x, place.y)
        self.styles.width, self.styles.height = place.width, place.height

    def show(self, block: Block, place: Place, stale: bool = False) -> None:
        """Paints a block; only the lines that differ from what is on the screen are painted again."""
        if block.focus != self.block.focus or place != self.place:
            self.first = reveal(block, place, self.first)
        before = [] if place != self.place or stale != self.stale else self.shown
        if stale != self.stale:
            self._styles.clear()
        self.block, self.place, self.stale = block, place, stale
        self.shown, self.first = compose(block, place, self.first)
        if len(before) != len(self.shown):
            self._strips.clear()
            self.refresh()
            return
        changed = [(y, old, new) for y, (old, new) in enumerate(zip(before, self.shown, strict=True)) if old != new]
        for y, _, _ in changed:
            self._strips.pop(y, None)
        if changed:
            self.refresh(*(Region(*_difference(old, new, place.width, y)) for y, old, new in changed))

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Asks Textual to paint it again."""
        self._painted = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines at once: without the border, padding and opacity that Textual would have to add to each.

        Every panel is asked for its lines when one line of one of them changes.
        """
        size = self.size
        key = (size, self.get_line_filters())
        if self._painted is None or self._painted[0] != key:
            if self._filters != key[1]:
                self._filters = key[1]
                self._strips.clear()
                self._styles.clear()
            self._painted = key, [self._line(y, size.width) for y in range(size.height)]
        strips = self._painted[1]
        if crop == size.region:
            return strips
        return [strip.crop(crop.x, crop.right) for strip in strips[crop.y : crop.bottom]]

    def render_line(self, y: int) -> Strip:
        """The line as a strip."""
        return self._line(y, self.size.width)

    def _line(self, y: int, width: int) -> Strip:
        """Made once for as long as it does not change."""
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._paint(self.shown[y] if y < len(self.shown) else Line(), width)
        for x, label in self.labels.get(y, ()):
            over = Strip([Segment(label, self._style("jump", ""))])
            strip = Strip.join([strip.crop(0, x), over, strip.crop(x + len(label), width)])
        return strip

    def _paint(self, line: Line, width: int) -> Strip:
        runs = groupby(line.spans, itemgetter(1))
        texts = [(role, "".join([span.text for span in spans])) for role, spans in runs]
        if getattr(self.app, "ascii", False):
            texts = [(role, to_ascii(text)) for role, text in texts]
        segments = [Segment(text, self._style(role, line.ground)) for role, text in texts]
        left = width - sum([cell_len(text) for _, text in texts])
        if left > 0:
            segments.append(Segment(" " * left, self._style("text", line.ground)))
        return Strip(segments, width + max(0, -left)).crop(0, width)

    def label(self, labels: dict[int, list[tuple[int, str]]]) -> None:
        """Paints letters over the lines, or takes them away."""
        if labels != self.labels:
            self.labels = labels
            self.refresh()

    def links(self) -> Iterator[tuple[str, int, int]]:
        """The links in sight, each once: the action, and where it begins."""
        seen: set[str] = set()
        for y, line in enumerate(self.shown if self.display else ()):
            x = 0
            for text, _, link in line.spans:
                if link and link not in seen:
                    seen.add(link)
                    yield link, x, y
                x += cell_len(text)

    def notify_style_update(self) -> None:
        """Forgets what was painted in the colours of before."""
        self._strips.clear()
        self._styles.clear()
        super().notify_style_update()

    async def on_click(self, event: events.Click) -> None:
        """Does what the text under the mouse is linked with."""
        link = self.link_at(event.x, event.y)
        if link:
            event.stop()
            await self.app.run_action(link, default_namespace=self.screen)

    def link_at(self, x: int, y: int) -> str:
        """The action of the text at a place of the panel; empty where there is none."""
        for span in self.shown[y].spans if 0 <= y < len(self.shown) else ():
            x -= cell_len(span.text)
            if x < 0:
                return span.link
        return ""

    def on_mouse_scroll_down(self) -> None:
        """Scrolls without moving the selection."""
        self.scroll_rows(_WHEEL_ROWS)

    def on_mouse_scroll_up(self) -> None:
        """Scrolls back."""
        self.scroll_rows(-_WHEEL_ROWS)

    def scroll_rows(self, rows: int) -> None:
        """Scrolls by so many rows, as far as there are any."""
        self.first += rows
        self.show(self.block, self.place, self.stale)

    def _style(self, role: str, ground: str) -> Style:
        key = (role, ground)
        style = self._styles.get(key)
        if style is None:
            name = role if role in _ALWAYS or not self.stale else _STALE_ROLE
            style = self.get_component_rich_style(f"top--{name}")
            if ground and role != "frame":
                style += Style(bgcolor=self.get_component_rich_style(f"top--{ground}").bgcolor)
            # To filter styles and not lines saves making each line twice.
            for each in self._filters:
                style = each.apply([Segment(" ", style)], self.background_colors[1])[0].style or style
            self._styles[key] = style
        return style


def _difference(old: Line, new: Line, width: int, y: int) -> tuple[int, int, int, int]:
    """The part of a line that has to be painted again: x, y, width and height."""
    if old.ground != new.ground:
        return 0, y, width, 1
    before = list(takewhile(_same, zip(old.spans, new.spans, strict=False)))
    rest = len(before)
    pairs = zip(reversed(old.spans[rest:]), reversed(new.spans[rest:]), strict=False)
    after = list(takewhile(_same, pairs))
    x, end = width_of(span for span, _ in before), width - width_of(span for span, _ in after)
    return x, y, max(1, end - x), 1


def _same(pair: tuple[Span, Span]) -> bool:
    return pair[0] == pair[1]
