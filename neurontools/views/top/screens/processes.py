"""The page of processes: a table that can be sorted and filtered, one process in full, and signals to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from neurontools.schema.interval import ProcessInterval
from neurontools.views.top import plan as places
from neurontools.views.top.control import Refused
from neurontools.views.top.panels import footer, process, processes
from neurontools.views.top.panels.footer import Hint
from neurontools.views.top.plan import Place
from neurontools.views.top.screens.page import About, PageScreen
from neurontools.views.top.screens.signal import SignalScreen
from neurontools.views.top.session import Session
from neurontools.views.top.spans import Block, Line, Span, clean, cut, left
from neurontools.views.top.state import find_process, why_unknown
from neurontools.views.top.table import Key, Order, Table, columns, key_of, table

TABLE, FACTS, MODELS = "table", "facts", "models"
_PAGE = 10
_EVERYWHERE = 1_000_000
_SIDE_WIDTH = 130
_MOST_WORDS = 200
_NONE = "no process uses a Neuron device"


class ProcessesScreen(PageScreen):
    """Who uses the devices; `opened` says that one process is shown in full."""

    ABOUT = About("processes", "p", "Processes")
    SECTIONS = (TABLE, FACTS, MODELS)
    HINTS = (
        footer.QUIT,
        footer.HELP,
        Hint("enter", "details", action="open"),
        Hint("s", "sort by the next column", "sort", "sort_next"),
        Hint("r", "reverse", action="reverse"),
        Hint("/", "filter", action="filter"),
        Hint("v", "tree", action="toggle_tree"),
        Hint("k", "signal", action="signal"),
    )
    OPENED = (
        footer.QUIT,
        footer.HELP,
        Hint("esc", "back to the table", "back", "back"),
        Hint("arrows", "scroll"),
        Hint("k", "signal", action="signal"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "The process above"),
        Binding("down", "move(1)", "The process below"),
        Binding("pageup", f"move(-{_PAGE})", "Up by ten"),
        Binding("pagedown", f"move({_PAGE})", "Down by ten"),
        Binding("home", f"move(-{_EVERYWHERE})", "To the first"),
        Binding("end", f"move({_EVERYWHERE})", "To the last"),
        Binding("enter,right", "open", "The process in full: models, sub-graphs, memory, latencies"),
        Binding("escape,left", "back", "Back to the table; without the filter"),
        Binding("s,S", "sort_next", "Sort by the next column"),
        Binding("r,R", "reverse", "Sort the other way round"),
        Binding("slash", "filter", "Filter by words in pid, tag, user, job and command"),
        Binding("v,V", "toggle_tree", "Users, what started their processes, these and their models, as a tree"),
        Binding("k,K", "signal", "Send a signal, after a question"),
    ]

    def __init__(self, session: Session, every: Sequence[About]) -> None:
        super().__init__(session, every)
        self.order = Order()
        self.selected: Key | None = None
        self.opened = False
        self.table: Table | None = None

    def forget(self) -> None:
        """Another host has other processes."""
        self.selected, self.opened, self.table = None, False, None

    def prepare(self) -> None:
        """Makes the table; a selected process that ended gives way to its neighbour."""
        interval = self.session.interval
        if interval is None:
            return
        before = self._keys()
        self.table = table(interval, self.order, columns(self.session.sizes))
        keys = self._keys()
        if self.selected not in keys:
            place = before.index(self.selected) if self.selected in before else 0
            self.selected = keys[min(place, len(keys) - 1)] if keys else None
            self.opened = False

    def plan(self, width: int, height: int, top: int, body: int) -> dict[str, Place]:
        """The table, or the two halves of one process."""
        if not self.opened:
            return places.whole(width, height, top, body, TABLE)
        if width >= _SIDE_WIDTH:
            left_side = places.whole(width // 2, height, top, body, FACTS)
            right_side = places.whole(width - width // 2, height, top, body, MODELS)
            return left_side | {name: place._replace(x=width // 2) for name, place in right_side.items()}
        upper = body * 2 // 3
        return places.whole(width, height, top, upper, FACTS) | places.whole(
            width, height, top + upper, body - upper, MODELS
        )

    def part(self, name: str) -> object:
        """What a section is drawn from."""
        if name == TABLE:
            return (self.table, self.order, self.selected)
        if name == places.FOOTER:
            return (self.typing, self.order.words, self.opened)
        return (self._process(), self.session.sizes)

    def block(self, name: str, place: Place) -> Block:
        """A section, drawn."""
        session, width = self.session, place.inner[0]
        interval, one = session.interval, self._process()
        if interval is None or self.table is None:
            return Block()
        head = interval.head
        if name == TABLE:
            if not interval.processes_known:
                return _nothing(f"N/A: {why_unknown(head, 'node_process_count')}", width)
            if not self.table.rows:
                return _nothing(
                    "no process matches the filter" if self.order.words else "no process uses Neuron", width
                )
            return processes.render(self.table, self.order, self.selected, width, lambda m: why_unknown(head, m))
        if one is None:
            return Block()
        if name == FACTS:
            return process.facts(one, head.time_ns, session.sizes, width, lambda m: why_unknown(head, m))
        return process.models(one, session.sizes, width, lambda m: why_unknown(head, m))

    def hints(self, own: tuple[Hint, ...] = ()) -> tuple[Hint, ...]:
        """Of one process in full others."""
        return super().hints(self.OPENED if self.opened else own)

    def foot(self, width: int) -> Block:
        """The keys, or the words that are being typed."""
        if not self.typing:
            return super().foot(width)
        line = (Span("filter: ", "key"), Span(self.order.words, "strong"), Span("▏"), Span("  enter keeps it", "dim"))
        return Block(rows=(Line(cut((*line, Span(", esc drops it", "dim")), width)),))

    def action_move(self, rows: int) -> None:
        """Another process; of one in full, what does not fit scrolls."""
        if self.opened:
            for name in (FACTS, MODELS):
                self._panels[name].scroll_rows(rows)
            return
        keys = self._keys()
        if keys:
            place = keys.index(self.selected) if self.selected in keys else 0
            self.selected = keys[max(0, min(len(keys) - 1, place + rows))]
            self.update()

    def action_select_process(self, pid: int, started_ns: int) -> None:
        """A click on a row: selects it, and a second one opens it."""
        if self.selected == (pid, started_ns):
            self.action_open()
        self.selected = (pid, started_ns)
        self.update()

    def action_open(self) -> None:
        """The selected process in full."""
        self.opened = self._process() is not None
        self.update()

    def action_back(self) -> None:
        """Back to the table, then without the filter."""
        if self.opened:
            self.opened = False
        else:
            self.order = self.order._replace(words="")
        self.update()

    def action_sort(self, column: str) -> None:
        """By a column; by the same once more, the other way round."""
        again = column == self.order.column
        self.order = self.order._replace(column=column, reverse=not self.order.reverse if again else False)
        self.update()

    def action_sort_next(self) -> None:
        """By the next column that is shown."""
        if self.table is not None and self.table.known:
            names = [column.name for column in self.table.known]
            place = names.index(self.order.column) if self.order.column in names else -1
            self.action_sort(names[(place + 1) % len(names)])

    def action_reverse(self) -> None:
        """The other way round."""
        self.order = self.order._replace(reverse=not self.order.reverse)
        self.update()

    def action_toggle_tree(self) -> None:
        """As a tree, or as a table."""
        self.order = self.order._replace(tree=not self.order.tree)
        self.update()

    def action_filter(self) -> None:
        """Begins to type words."""
        self.opened = False
        self.typing = True
        self.update()

    def action_signal(self) -> None:
        """Asks which signal the selected process is to get; where none may be sent, says why."""
        control, one = self.session.control, self._process()
        if one is None:
            return
        if control.send is None:
            self.notify(control.why_not, title="No signal can be sent", markup=False)
            return
        send, key = control.send, key_of(one)

        def send_it(number: int) -> str:
            try:
                send(*key, number)
            except Refused as refused:
                return f"not sent: {refused}"
            return "sent"

        name = f"{one.pid} ({clean(one.tag)})" if one.tag else str(one.pid)
        self.app.push_screen(SignalScreen(left(name, 30).rstrip(), clean(one.command or ""), send_it))

    def _process(self) -> ProcessInterval | None:
        interval = self.session.interval
        return None if interval is None else find_process(interval, self.selected)

    def _keys(self) -> list[Key]:
        """The processes in the order of the table."""
        rows = self.table.rows if self.table is not None else ()
        return list(dict.fromkeys(row.key for row in rows if row.key is not None))

    def on_typed(self, event: events.Key) -> None:
        """A letter of the filter, or its end."""
        words = self.order.words
        if event.key in ("enter", "escape", "tab"):
            self.typing = False
            words = "" if event.key == "escape" else words
        elif event.key == "backspace":
            words = words[:-1]
        elif event.character and event.is_printable and len(words) < _MOST_WORDS:
            words += event.character
        self.order = self.order._replace(words=words)
        self.update()


def _nothing(words: str, width: int) -> Block:
    return Block((Span("Processes", "heading"),), (), (Line(cut((Span(words, "dim"),), width)),))
