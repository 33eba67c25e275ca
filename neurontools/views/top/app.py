"""neuron-top as an application: it asks for a reading, shows it, and asks again; keys never wait for that."""

from __future__ import annotations

import asyncio
import signal
import time
from asyncio import TimerHandle
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.screen import Screen

from neurontools.units import NS_PER_S
from neurontools.views.top import theme
from neurontools.views.top.collector import Collector, Request
from neurontools.views.top.control import Control
from neurontools.views.top.messages import Arrived
from neurontools.views.top.reader import Reader, Reading
from neurontools.views.top.screens.health import HealthScreen
from neurontools.views.top.screens.help import READING, HelpScreen, keys_of
from neurontools.views.top.screens.history import HistoryScreen
from neurontools.views.top.screens.memory import MemoryScreen
from neurontools.views.top.screens.overview import OverviewScreen
from neurontools.views.top.screens.page import PageScreen
from neurontools.views.top.screens.processes import ProcessesScreen
from neurontools.views.top.screens.topology import TopologyScreen
from neurontools.views.top.session import NO_CONTROL, Session
from neurontools.views.top.settings import REFRESHES_S, SIZES, THEME_NAMES, Keeper

_LEAST_SILENCE_S = 3.0
_SILENT_PERIODS = 3
NOT_KEPT = Keeper()
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)

PAGES: tuple[type[PageScreen], ...] = (
    OverviewScreen,
    HistoryScreen,
    ProcessesScreen,
    MemoryScreen,
    TopologyScreen,
    HealthScreen,
)
"""All pages, in the order of their tabs."""
EVERY = tuple(page.ABOUT for page in PAGES)


class TopApp(App[None]):
    """The application. `first` is a reading to start with; the next ones come in the period of the settings."""

    TITLE = "neuron-top"
    DEFAULT_MODE = OverviewScreen.ABOUT.name
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = f"Screen {{ overflow: hidden; }} Panel {{ position: absolute; }}\n{theme.css()}"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{about.key},{about.key.upper()}", f"page('{about.name}')", f"The page {about.title}")
            for about in EVERY
        ),
        Binding("tab", "step_page(1)", "The next page", priority=True),
        Binding("shift+tab", "step_page(-1)", "The page before", priority=True),
        Binding("question_mark,f1", "help", "This help"),
        Binding("space", "pause", "Stand still, and go on"),
        Binding("left", "travel(-1)", "While it stands still: one reading back", priority=True),
        Binding("right", "travel(1)", "While it stands still: one reading on", priority=True),
        Binding("left_square_bracket", "travel_s(-60)", "A minute back"),
        Binding("right_square_bracket", "travel_s(60)", "A minute on"),
        Binding("comma", "to_marker(-1)", "Back to when something happened or was found"),
        Binding("full_stop", "to_marker(1)", "On to when something happened or was found"),
        Binding("less_than_sign", "speed(0.5)", "Replay at half the speed"),
        Binding("greater_than_sign", "speed(2)", "Replay at twice the speed"),
        Binding("ctrl+t", "next_theme", "The next theme: dark, light, high contrast, colour-blind safe"),
        Binding("u,U", "next_unit", "GiB or GB"),
        Binding("plus,equals_sign", "refresh_rate(1)", "Read less often, up to once in 60 s"),
        Binding("minus", "refresh_rate(-1)", "Read more often, up to twice a second"),
        Binding("j,J", "jump", "Letters over all that can be clicked"),
        Binding("f8", "export", "This page as an SVG file"),
        Binding("ctrl+s", "keep", "Keep theme, unit, period and page for the next time"),
        Binding("ctrl+p", "command_palette", "Everything that can be done, by name"),
        Binding("q,Q", "quit", "Quit"),
        Binding("ctrl+c", "quit", priority=True),
    ]

    def __init__(
        self, reader: Reader, first: Reading, version: str, kept: Keeper = NOT_KEPT, control: Control = NO_CONTROL
    ) -> None:
        super().__init__()
        self.ascii = False
        """Whether the terminal has no characters but ASCII."""
        self.kept = kept
        self.refresh_s = kept.settings.refresh_s
        self.session = Session(version, reader, first, control)
        self.session.sizes = kept.settings.sizes
        self.pages = {page.ABOUT.name: page(self.session, EVERY) for page in PAGES}
        for name, page in self.pages.items():
            self.add_mode(name, partial(_same, page))
        self.page: PageScreen = self.main
        """The page in front, or under what is in front of it."""
        self.reader = reader
        self._collector = Collector(reader, self._deliver)
        self._asked_s: float | None = None
        self._next: TimerHandle | None = None
        self._patience: TimerHandle | None = None

    @property
    def main(self) -> OverviewScreen:
        """The page that is shown first."""
        page = self.pages[OverviewScreen.ABOUT.name]
        assert isinstance(page, OverviewScreen)
        return page

    def get_driver_class(self) -> type[Driver]:
        """Our driver where Textual would take that for terminals; not in a browser, nor without a screen."""
        from textual.drivers.linux_driver import LinuxDriver

        from neurontools.views.top.terminal import SleepingDriver

        chosen = super().get_driver_class()
        return SleepingDriver if chosen is LinuxDriver else chosen

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours of the roles, for themes that define none of their own."""
        return theme.variables()

    def on_mount(self) -> None:
        """Starts to read."""
        for each in theme.THEMES:
            self.register_theme(each)
        self.theme = self.kept.settings.theme
        if self.kept.trouble:
            self.notify(self.kept.trouble, title="Settings", severity="warning", timeout=15, markup=False)
        self._end_on_signals()
        if self.kept.settings.page != self.page.ABOUT.name:
            self.call_later(self.action_page, self.kept.settings.page)
        self._collector.start()
        self._ask_in(self.refresh_s)

    def on_unmount(self) -> None:
        """Lets the reading thread go."""
        for timer in (self._next, self._patience):
            if timer is not None:
                timer.cancel()
        self._collector.stop()

    def on_arrived(self, message: Arrived) -> None:
        """Shows what was read; the next request follows one period after the one before, at once if that is over."""
        self.session.take(message.reading)
        self.page.update()
        asked_s = self._asked_s or time.monotonic()
        self._asked_s = None
        if self._patience is not None:
            self._patience.cancel()
        self._ask_in(max(0.01, asked_s + self.refresh_s - time.monotonic()))

    def on_wanted(self) -> None:
        """Asks at once, unless somebody has asked already."""
        if self._asked_s is None:
            self._ask()

    def _ask_in(self, seconds: float) -> None:
        """One request at a time is to come: the one before is forgotten."""
        if self._next is not None:
            self._next.cancel()
        # A timer of Textual's takes a task and several messages, and that once a second.
        self._next = asyncio.get_running_loop().call_later(seconds, self._ask)

    async def action_page(self, name: str) -> None:
        """Shows a page."""
        if isinstance(self.screen, PageScreen):
            self.page = self.pages[name]
            await self.switch_mode(name)
            self.page.update()
            if self.page.bank_map_of is not None:
                self.on_wanted()

    async def action_step_page(self, step: int) -> None:
        """The next page, round the corner too."""
        names = list(self.pages)
        await self.action_page(names[(names.index(self.page.ABOUT.name) + step) % len(names)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The arrows go through time only while it stands still; else they are the page's."""
        if action == "travel" and parameters in ((-1,), (1,)):
            page = self.screen
            return isinstance(page, PageScreen) and (self.session.playback.paused or page.TIME_ONLY) and not page.typing
        return True

    def action_pause(self) -> None:
        """Stands still, or goes on."""
        playback = self.session.playback
        if playback.paused:
            playback.resume()
        else:
            playback.pause()
        self._look()

    def action_travel(self, count: int) -> None:
        """So many readings on, or back."""
        self.session.playback.step(count)
        self._look()

    def action_travel_s(self, seconds: int) -> None:
        """So much later or earlier; a replay goes on from there."""
        playback = self.session.playback
        playback.seek(playback.position_ns + seconds * NS_PER_S)
        self._look()

    def action_seek(self, to_ns: int) -> None:
        """To an instant."""
        self.session.playback.seek(to_ns)
        self.session.playback.pause()
        self._look()

    def action_to_marker(self, direction: int) -> None:
        """To the first reading that shows what happened or was found next, or to the last one before it did."""
        session, playback = self.session, self.session.playback
        first_ns, last_ns = playback.span_ns
        if direction < 0:
            for marker in session.history.markers(first_ns, session.now_ns - 1)[-1:]:
                self.action_seek(marker.time_ns)
            return
        now_ns = playback.position_ns
        known = [marker.time_ns for marker in session.history.markers(now_ns + 1, last_ns)[:1]]
        ahead = playback.eventful_after(now_ns)
        to_ns = min([*known, ahead] if ahead is not None else known, default=None)
        if to_ns is not None:
            playback.seek(to_ns - 1)
            self.action_travel(1)

    def action_speed(self, factor: float) -> None:
        """A replay gets faster or slower; a live host does not."""
        self.session.playback.set_speed(self.session.playback.speed * factor)
        self.page.update()

    def _look(self) -> None:
        """Shows the instant to which one went; a replay has to be read for that."""
        if self.session.replays:
            self._ask()
        self.session.look()
        self.page.update()

    def action_help(self) -> None:
        """What the keys do here, and how to read the page."""
        page = self.screen
        if not isinstance(page, PageScreen):
            return
        self.push_screen(
            HelpScreen(
                (
                    (f"On the page {page.ABOUT.title}", keys_of(type(page).BINDINGS)),
                    ("Everywhere", keys_of(self.BINDINGS)),
                    ("How to read it", READING),
                )
            )
        )

    def action_next_theme(self) -> None:
        """Another theme of ours."""
        names = [each.name for each in theme.THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def action_next_unit(self) -> None:
        """GiB or GB."""
        units = [*SIZES]
        self._settings(unit=units[(units.index(self.kept.settings.unit) + 1) % len(units)])
        self.session.sizes = self.kept.settings.sizes
        self.page.update()

    def action_refresh_rate(self, step: int) -> None:
        """Reads less often, or more often."""
        now = self.refresh_s
        other = [each for each in REFRESHES_S if (each > now if step > 0 else each < now)]
        if other:
            self.refresh_s = other[0] if step > 0 else other[-1]
            self._settings(refresh_s=self.refresh_s)
            if self._asked_s is None:
                self._ask_in(self.refresh_s)
        self.notify(f"a reading every {self.refresh_s:g} s", timeout=2)

    def action_jump(self) -> None:
        """Letters over all that can be clicked."""
        if isinstance(self.screen, PageScreen):
            self.screen.jump()

    def action_export(self) -> None:
        """The page as a file in the directory where the program was started, or to the browser."""
        name = time.strftime("neuron-top-%Y%m%d-%H%M%S.svg")
        if self.is_web:
            self.deliver_screenshot(name)
            return
        try:
            with open(name, "x", encoding="utf-8") as file:
                file.write(self.export_screenshot(title=self.TITLE))
        except OSError as error:
            self.notify(f"{name}: {error.strerror}", title="Not written", severity="error", markup=False)
        else:
            self.notify(f"written to {name}", markup=False)

    def action_keep(self) -> None:
        """Keeps what was chosen for the next time."""
        ours = self.theme if self.theme in THEME_NAMES else self.kept.settings.theme
        self._settings(theme=ours, page=self.page.ABOUT.name)
        save = self.kept.save
        self.notify("not kept: there is no place for it" if save is None else save(self.kept.settings), markup=False)

    def _settings(self, **changes: object) -> None:
        settings = self.kept.settings._replace(**changes)  # type: ignore[arg-type]
        self.kept = self.kept._replace(settings=settings)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the command palette offers: all that has a key, and the themes."""
        for place, bindings in ((self, self.BINDINGS), (self.page, type(self.page).BINDINGS)):
            for binding in bindings:
                if isinstance(binding, Binding) and binding.description:
                    run = partial(self.run_action, binding.action, place)
                    yield SystemCommand(binding.description, f"key {keys_of([binding])[0][0]}", run)
        for each in theme.THEMES:
            yield SystemCommand(f"Theme {each.name}", "colours", partial(setattr, self, "theme", each.name))

    def _ask(self) -> None:
        self._asked_s = time.monotonic()
        if self._patience is not None:
            self._patience.cancel()
        patience_s = max(_LEAST_SILENCE_S, _SILENT_PERIODS * self.refresh_s)
        self._patience = asyncio.get_running_loop().call_later(patience_s, self.call_later, self._say_silent)
        self._collector.request(Request(self.page.registers, self.page.bank_map_of))

    def _deliver(self, reading: Reading) -> None:
        """Called on the collector's thread; the loop may have ended meanwhile."""
        with suppress(RuntimeError):
            self.post_message(Arrived(reading))

    def _say_silent(self) -> None:
        if self._asked_s is not None and not self.session.stale:
            self.session.silent(int(time.monotonic() - self._asked_s))
            self.page.update()

    def _end_on_signals(self) -> None:
        """The terminal is put in order before the program ends; outside the main thread signals are not ours."""
        loop = asyncio.get_running_loop()
        with suppress(ValueError, RuntimeError):
            for number in _ENDING_SIGNALS:
                loop.add_signal_handler(number, self.exit)


def _same(page: PageScreen) -> PageScreen:
    """A mode wants to be told how its screen is made; ours live as long as the program."""
    return page
