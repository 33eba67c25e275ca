"""What all pages of neuron-top share: title, tabs, trouble, footer, and sections drawn only when they change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip

from neurontools.views.top import plan as places
from neurontools.views.top.panels import badge, footer, pages, title
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.panels.pages import PageTab
from neurontools.views.top.panels.panel import Panel
from neurontools.views.top.plan import Place
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block, Line, Span, cut
from neurontools.views.top.state import Title, title_of

_AROUND = (places.TITLE, places.PAGES, places.BANNER, places.FOOTER)
_LIVE = (places.BANNER, places.PAGES, places.FOOTER)
_RETRYING = ", retrying"
_LETTERS = "asdfghjklqwertyuiopzxcvbnm"
_TOO_MANY = "app.seek"
"""Links of which there is one in each column: no letters for those."""


class About(NamedTuple):
    """A page: the name by which it is asked for, the key that leads to it, and its title."""

    name: str
    key: str
    title: str


class PageScreen(Screen[None]):
    """A page shows what the session has; what the person chose on it outlives that."""

    ABOUT: ClassVar[About]
    SECTIONS: ClassVar[tuple[str, ...]] = ()
    HINTS: ClassVar[tuple[Hint, ...]] = (footer.QUIT, footer.HELP, footer.PAUSE)
    TIME_ONLY: ClassVar[bool] = False
    """Whether the arrows to the sides have nothing to do here but to go through time."""
    typing = False
    """Whether what is typed are letters, not keys."""

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__()
        self.session = session
        self.every = every
        self._host = session.hosts
        self._places: dict[str, Place] = {}
        self._drawn: dict[str, tuple[object, Place, bool]] = {}
        self._panels = {name: Panel(name) for name in (*_AROUND, *self.SECTIONS)}
        self._jumps: dict[str, str] = {}
        self._typed = ""

    @property
    def bank_map_of(self) -> int | None:
        """The device whose bank map the page shows."""
        return None

    @property
    def registers(self) -> bool:
        """Whether the page shows what is in the device's registers."""
        return False

    def compose(self) -> ComposeResult:
        """One panel for each section; the plan decides which of them are shown."""
        yield from self._panels.values()

    async def on_event(self, event: events.Event) -> None:
        """While letters are typed, or one of a jump is waited for, keys are no commands."""
        if isinstance(event, events.Key) and (self.typing or self._jumps):
            event.stop()
            if self.typing:
                self.on_typed(event)
            else:
                await self._land(event)
            return
        await super().on_event(event)

    def on_typed(self, event: events.Key) -> None:
        """A letter, where letters are typed."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is behind the panels: the same empty line everywhere."""
        blank = Strip.blank(crop.width, self.visual_style.rich_style)
        for each in self.get_line_filters():
            blank = blank.apply_filter(each, self.background_colors[1])
        return [blank] * crop.height

    def jump(self) -> None:
        """Puts letters over all that can be clicked: to type them is to click."""
        found = [
            (panel, link, x, y)
            for panel in self._panels.values()
            for link, x, y in panel.links()
            if not link.startswith(_TOO_MANY)
        ]
        names = (
            list(_LETTERS) if len(found) <= len(_LETTERS) else ["".join(pair) for pair in product(_LETTERS, repeat=2)]
        )
        self._jumps, self._typed = {}, ""
        labels: dict[Panel, dict[int, list[tuple[int, str]]]] = {}
        for name, (panel, link, x, y) in zip(names, found, strict=False):
            self._jumps[name] = link
            labels.setdefault(panel, {}).setdefault(y, []).append((x, name))
        for panel in self._panels.values():
            panel.label(labels.get(panel, {}))

    async def _land(self, event: events.Key) -> None:
        """A letter of a jump; anything else ends it."""
        self._typed += event.character or " "
        if any(name.startswith(self._typed) and name != self._typed for name in self._jumps):
            return
        link = self._jumps.get(self._typed, "")
        self.end_jump()
        if link:
            await self.app.run_action(link, default_namespace=self)

    def end_jump(self) -> None:
        """Takes the letters away."""
        self._jumps = {}
        for panel in self._panels.values():
            panel.label({})

    def on_screen_suspend(self) -> None:
        """Another page is in front."""
        self.end_jump()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.update()

    def on_screen_resume(self) -> None:
        """The page is in front again: much may have happened."""
        self.update()

    def update(self) -> None:
        """Draws the sections that differ from what is on the screen."""
        if not self.is_mounted:
            return
        if self._host != self.session.hosts:
            self._host = self.session.hosts
            self.forget()
        self.prepare()
        now = self.lay_out(*self.size)
        if now != self._places:
            self._places = now
            for name, panel in self._panels.items():
                panel.put(now.get(name))
        for name, place in now.items():
            stale = self.session.stale and name not in _LIVE
            drawn = (self._part(name), place, stale)
            if drawn != self._drawn.get(name):
                self._drawn[name] = drawn
                self._panels[name].show(self._block(name, place), place, stale)

    def forget(self) -> None:
        """Another host answers: what was chosen on the one before has no meaning here."""

    def prepare(self) -> None:
        """Makes what the sections are drawn from."""

    def lay_out(self, width: int, height: int) -> dict[str, Place]:
        """The places of what is shown."""
        around, top, body = places.around(width, height, bool(self.session.trouble))
        return around | self.plan(width, height, top, body)

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """The places of the page's own sections in the `body` rows from `top` on."""
        return {
            name: place
            for section in self.SECTIONS[:1]
            for name, place in places.whole(width, height, top, body, section).items()
        }

    def part(self, name: str) -> object:
        """What a section is drawn from: it is drawn again only when that differs."""
        return name

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        return Block(heading=(Span(name),))

    def headline(self) -> Title | None:
        """What the first line says of the host; None while nothing has been read."""
        session = self.session
        if session.interval is None or session.inventory is None:
            return None
        return title_of(session.interval, session.inventory)

    def foot(self, width: int) -> Block:
        """The lines at the bottom."""
        return Block(rows=(footer.keys(self.hints(), width),))

    def hints(self, own: tuple[Hint, ...] = ()) -> tuple[Hint, ...]:
        """The keys of the page, unless given; where it stands still also the one by which it goes on."""
        own = own or self.HINTS
        if not self.session.playback.paused:
            return own
        others = tuple(hint for hint in own if hint is not footer.PAUSE)
        return *others[:2], footer.GO_ON, *others[2:]

    def _part(self, name: str) -> object:
        session = self.session
        match name:
            case places.BANNER:
                return session.trouble
            case places.PAGES:
                return badge.contents(session)
            case places.TITLE:
                return self.headline()
            case places.FOOTER:
                return (session.playback.paused, self.part(name))
            case _:
                return self.part(name)

    def _block(self, name: str, place: Place) -> Block:
        session, width = self.session, place.inner[0]
        match name:
            case places.BANNER:
                return _banner(session.trouble, width)
            case places.PAGES:
                tabs = [PageTab(*about, current=about is self.ABOUT) for about in self.every]
                return pages.render(tabs, badge.render(badge.contents(session)), width)
            case places.TITLE:
                shown = self.headline()
                return title.render(shown, session.version, width) if shown else title.waiting(session.version, width)
            case places.FOOTER:
                return self.foot(width)
            case _:
                return self.block(name, place)


def _banner(trouble: str, width: int) -> Block:
    """What is wrong, cut if it must be, and that it is being tried again."""
    text = cut((Span(f" {trouble}", "alert"),), max(0, width - len(_RETRYING)))
    spans = [Span(span.text.rstrip() if span.role == "text" else span.text, "alert") for span in text]
    return Block(rows=(Line(cut((*spans, Span(_RETRYING, "alert")), width), "alert"),))
