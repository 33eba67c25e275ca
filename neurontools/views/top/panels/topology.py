"""The drawing of the devices and their links with what these carry, and the links of one device in numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap

from neurontools.views.top import quantities
from neurontools.views.top.links import Link, Map, drawn, neighbours
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, cut, left, linked, right

_LEAST_NODE, _MOST_NODE = 10, 18
_LEAST_EDGE, _MOST_EDGE = 7, 12
_MARGIN = 8
_LEVELS = ((60.0, "high"), (5.0, "middle"), (0.0, "low"))
Sizes = tuple[int, int, int]
"""Columns of the margin, of a node and of the link between two."""

_DEVICE, _LEAST_PEERS = 5, 8
_TOGETHER = "\u00a0"
"""Stands for a blank at which no line ends."""

_DESIGN = "the drawing is the design"


def render(shown: Map, selected: int, width: int, why: Callable[[], str]) -> Block:
    """The grid in `width` columns; where no traffic is known, a note says that this is the design, and why."""
    lines = _grid(shown, selected, width)
    focus = next((3 + 4 * n for n, row in enumerate(shown.rows) if selected in row), None)
    if not lines:
        lines, focus = _list(shown, selected, width)
    rest = sorted(shown.links.keys() - drawn(shown))
    if rest:
        names = ", ".join(f"{a}-{b}" for a, b in rest)
        lines += [Line(), Line((Span(f"and links that the drawing has no place for: {names}", "dim"),))]
    focus = None if focus is None else min(len(lines) - 1, focus)
    links = quantities.counted(len(shown.links), "link")
    kind = "no links" if shown.topology == "none" else f"{shown.topology}, {links}"
    heading = (Span("Topology", "heading"), Span(f" ({kind})", "strong"))
    note = (Span("bytes per second each way", "dim"),) if shown.counted else ()
    reason = "" if shown.counted or not shown.links else f"{_DESIGN}; traffic: {why()}"
    return Block(heading, note, [Line(cut(row.spans, width)) for row in lines], focus=focus, why=reason)


def _grid(shown: Map, selected: int, width: int) -> list[Line]:
    """The drawing; nothing where the terminal is too narrow for it."""
    most = max(map(len, shown.rows), default=1)
    wraps = any(len(row) > 2 and shown.link(row[-1], row[0]) is not None for row in shown.rows)
    margin = _MARGIN if wraps else 0
    room = width - 2 * margin - most * _LEAST_NODE - (most - 1) * _LEAST_EDGE
    if room < 0:
        return []
    node = min(_MOST_NODE, _LEAST_NODE + room // (2 * most))
    edge = min(_MOST_EDGE, _LEAST_EDGE + room // (2 * most))
    lines: list[Line] = []
    for place, row in enumerate(shown.rows):
        below = shown.rows[place + 1] if place + 1 < len(shown.rows) else None
        lines += _row(shown, row, selected, (margin, node, edge))
        lines += _between(shown, row, below, (margin, node, edge))
    return lines


def neighbour_table(shown: Map, device: int, width: int, why: Callable[[], str]) -> Block:
    """The links of a device: peer, state, traffic each way, part of the capacity."""
    node = shown.nodes.get(device)
    rows: list[Line] = []
    if node is not None:
        for name, percent, role in (
            ("busy", node.utilization_percent, "middle"),
            ("memory", node.memory_percent, "memory"),
        ):
            text = NOT_KNOWN if percent is None else f"{percent:.1f}%"
            drawn_bar = bar((((percent or 0.0) / 100.0, role),), max(0, min(30, width - 20)))
            rows.append(Line((Span(left(name, 9), "dim"), Span(right(text, 8)), Span("  "), *drawn_bar)))
    rows.append(Line())
    links = neighbours(shown, device)
    rows.append(Line((Span(f"{'PEER':<7}{'LINK':<7}{'SENDS':>12}{'RECEIVES':>12}{'OF CAPACITY':>13}", "dim"),)))
    rows += [_neighbour(link, device) for link in links]
    if not links:
        rows.append(Line((Span("no links", "dim"),)))
    elif not shown.counted:
        rows += [Line(), Line((Span(f"{_DESIGN}; {NOT_KNOWN}: {why()}", "dim"),))]
    heading = (Span(f"Device {device}", "heading"),)
    note = (Span(quantities.counted(len(links), "neighbour"), "dim"),)
    return Block(heading, note, [Line(cut(row.spans, width)) for row in rows])


def traffic(value: float | None) -> str:
    """Bytes per second in five columns: "2.69G"."""
    if value is None:
        return "?"
    return "".join(quantities.prefixed(value))


def _row(shown: Map, row: Sequence[int], selected: int, sizes: Sizes) -> list[Line]:
    """Two lines of nodes, with the links between them; a link to the other end of the row is in the margins."""
    margin, node, edge = sizes
    wrap = shown.link(row[-1], row[0]) if len(row) > 2 else None
    upper, lower = ([*_margin(wrap, row[-1], over)] if margin else [] for over in (True, False))
    for place, device in enumerate(row):
        last = place == len(row) - 1
        link = None if last else shown.link(device, row[place + 1])
        above, below = _edge(link, device, edge, shown.counted)
        head, foot = _node(shown, device, selected, node)
        upper += [*head, *(() if last else above)]
        lower += [*foot, *(() if last else below)]
    if margin:
        upper += _margin(wrap, row[-1], True, at_end=True)
        lower += _margin(wrap, row[-1], False, at_end=True)
    return [Line(tuple(upper)), Line(tuple(lower))]


def _node(shown: Map, device: int, selected: int, width: int) -> tuple[list[Span], list[Span]]:
    node = shown.nodes[device]
    link = f"select_device({device})"
    percent = node.utilization_percent
    text = NOT_KNOWN if percent is None else f"{percent:.0f}%"
    ground = "selected" if device == selected else "strong"
    mark = "◂" if device == selected else " "
    name = left(f"ND{device}", width - len(text) - 1)
    head = [Span(name, ground, link), Span(f"{text}{mark}", ground if device == selected else "text", link)]
    drawn_bar = bar((((percent or 0.0) / 100.0, "middle"),), width - 1)
    return head, [*linked(drawn_bar, link), Span(" ")]


def _edge(link: Link | None, start: int, width: int, counted: bool) -> tuple[list[Span], list[Span]]:
    """A link to the right: what goes there above, what comes back below."""
    if link is None:
        return [Span(" " * width)], [Span(" " * width)]
    if link.up is False:
        return [Span("✖ down".center(width), "bad")], [Span("─" * (width - 2), "bad"), Span("  ")]
    forth, back = _directions(link, start)
    role = _role(link)
    if not counted:
        return [Span(" ◄" + "─" * (width - 4) + "► ", "dim")], [Span(" " * width)]
    return [Span(right(f"{traffic(forth)}─►", width), role)], [Span(left(f"◄─{traffic(back)}", width), role)]


def _margin(link: Link | None, start: int, upper: bool, at_end: bool = False) -> list[Span]:
    """The link from the end of a row to its beginning, at both of its sides."""
    if link is None:
        return [Span(" " * _MARGIN)]
    if link.up is False:
        return [Span("✖ down".center(_MARGIN) if upper else " " * _MARGIN, "bad")]
    forth, back = _directions(link, start)
    if link.forth_bytes_per_s is None:
        text = "*──►" if upper else ""
        return [
            Span((left(f" {text[::-1].replace('►', '◄')}", _MARGIN) if at_end else right(f"{text} ", _MARGIN)), "dim")
        ]
    value = traffic(forth if upper else back)
    if at_end:
        return [Span(left(f" {value}─*" if upper else f" ◄{value}", _MARGIN), _role(link))]
    return [Span(right(f"*─{value}► " if upper else f"{value}─* ", _MARGIN), _role(link))]


def _between(shown: Map, row: Sequence[int], below: Sequence[int] | None, sizes: Sizes) -> list[Line]:
    """Two lines with the links to the row below; under the last row, those that lead round to the first."""
    margin, node, edge = sizes
    down, up = [Span(" " * margin)], [Span(" " * margin)]
    any_link = False
    for place, device in enumerate(row):
        other = _below(shown, below, place)
        link = None if other is None else shown.link(device, other)
        any_link |= link is not None
        above, under = _vertical(link, device, node, wraps=below is None)
        last = place == len(row) - 1
        down += [above, Span(" " * (0 if last else edge))]
        up += [under, Span(" " * (0 if last else edge))]
    if not any_link:
        return [Line()] if below is not None else []
    return [Line(tuple(down)), Line(tuple(up))]


def _below(shown: Map, below: Sequence[int] | None, place: int) -> int | None:
    if below is None:
        top = shown.rows[0]
        return top[place] if len(shown.rows) > 2 and place < len(top) else None
    return below[place] if place < len(below) else None


def _vertical(link: Link | None, start: int, width: int, wraps: bool) -> tuple[Span, Span]:
    if link is None:
        return Span(" " * width), Span(" " * width)
    if link.up is False:
        return Span("✖ down".center(width), "bad"), Span(" " * width)
    forth, back = _directions(link, start)
    sign = "*" if wraps else ""
    if link.forth_bytes_per_s is None:
        return Span("│".center(width), "dim"), Span((sign or "│").center(width), "dim")
    role = _role(link)
    return Span(left(f"  ▼ {traffic(forth)}{sign}", width), role), Span(left(f"  ▲ {traffic(back)}{sign}", width), role)


def _list(shown: Map, selected: int, width: int) -> tuple[list[Line], int | None]:
    """For a terminal too narrow for a drawing: each device with its peers, and the last line of the selected one."""
    lines: list[Line] = []
    focus = None
    for device in sorted(shown.nodes):
        peers = ", ".join(_peer(link, device, shown.counted) for link in neighbours(shown, device))
        texts = wrap(peers, max(_LEAST_PEERS, width - _DEVICE - 2)) or [""]
        first, *more = (text.replace(_TOGETHER, " ") for text in texts)
        name = Span(left(f"ND{device}", _DEVICE), "selected" if device == selected else "strong")
        lines.append(Line((name._replace(link=f"select_device({device})"), Span(f"─ {first}", "dim"))))
        lines += [Line((Span(" " * (_DEVICE + 2) + text, "dim"),)) for text in more]
        focus = len(lines) - 1 if device == selected else focus
    return lines, focus


def _peer(link: Link, device: int, counted: bool) -> str:
    peer = link.b if link.a == device else link.a
    forth, back = _directions(link, device)
    return _TOGETHER.join((str(peer), f"({traffic(forth)}", f"{traffic(back)})")) if counted else str(peer)


def _neighbour(link: Link, device: int) -> Line:
    peer = link.b if link.a == device else link.a
    forth, back = _directions(link, device)
    state, role = {True: ("up", "good"), False: ("✖ down", "bad"), None: ("?", "dim")}[link.up]
    percent = NOT_KNOWN if link.percent is None else f"{link.percent:.1f}%"
    sends, receives = (_per_s(value) for value in (forth, back))
    name = Span(left(f"ND{peer}", 7), "strong", f"select_device({peer})")
    return Line((name, Span(left(state, 7), role), Span(f"{sends:>12}{receives:>12}{percent:>13}")))


def _per_s(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{' '.join(quantities.prefixed(value))}B/s"


def _directions(link: Link, start: int) -> tuple[float | None, float | None]:
    """What goes from `start` to the other end, and what comes back."""
    ways = (link.forth_bytes_per_s, link.back_bytes_per_s)
    return ways if start == link.a else ways[::-1]


def _role(link: Link) -> str:
    if link.percent is None:
        return "dim"
    return next(role for least, role in _LEVELS if link.percent >= least)
