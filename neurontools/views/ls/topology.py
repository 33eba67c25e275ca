"""The drawing of `neuron-ls --topology`: torus, ring, chain or single device, and never a link that is not there.

Each shape is drawn only when the devices' links are exactly those of the drawing; else the links are listed.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from neurontools.schema.inventory import Inventory

_TITLE = "Neuron Device Topology"
_ACROSS = "◄––►"
_ONE_WAY = "––►"
_INTO_ROW = "*––►"
_OUT_OF_ROW = "◄––*"
_LEGEND = ("", "Legend:", "", f"        {_INTO_ROW} = Wrap-around link")

_TORUS_ROW = 4
_LONGEST_ROW = 8
_NODE_WIDTH = 5
_FEWEST_IN_A_RING = 3
_FEWEST_TO_FOLD = 4

_ASCII = str.maketrans("◄►▲▼│–", "<>^v|-")

Row = Sequence[int]
Link = tuple[int, int]
Drawing = tuple[set[Link], list[str]]
"""The links that a drawing shows, each in both directions, and its lines."""


def render(inventory: Inventory) -> str:
    """The two blank lines below the table, the drawing, and a legend where links wrap around.

    The lines of torus, ring and chain have one width, spaces at their ends included; each ends with a newline.
    """
    devices = [device.device for device in inventory.devices]
    links = {(device.device, peer) for device in inventory.devices for peer in device.connected_to}
    drawing = _listed(devices, links)
    shape = _SHAPES.get(inventory.topology)
    if shape is not None and devices == list(range(len(devices))):
        drawn, lines = shape(len(devices)) or (None, [])
        if drawn == links:
            drawing = lines
    return "".join(f"{line}\n" for line in ("", "", _TITLE, *drawing))


def to_ascii(text: str) -> str:
    """The same drawing, of the same size, for a terminal without Unicode."""
    return text.translate(_ASCII)


def _torus(count: int) -> Drawing | None:
    """Rows of four, each row and each column closed by a wrap-around link."""
    if count % _TORUS_ROW or count < _TORUS_ROW * _FEWEST_IN_A_RING:
        return None
    rows = _cut(range(count), _TORUS_ROW)
    closed = [(*row, row[0]) for row in rows] + [(*column, column[0]) for column in zip(*rows, strict=True)]
    margin = " " * len(_INTO_ROW)
    columns = range(_TORUS_ROW)
    between = [margin + _beside(glyph, columns, _TORUS_ROW) + margin for glyph in "▲│▼"]
    ends = margin + _beside("*", columns, _TORUS_ROW) + margin
    lines = [ends, *between[1:]]
    for row in rows:
        lines += [_INTO_ROW + _row(row) + _OUT_OF_ROW, *between]
    return _links(closed), [*lines[:-1], ends, *_LEGEND]


def _ring(count: int) -> Drawing | None:
    """Two rows joined at both sides; an odd number of devices makes one row with a wrap-around link."""
    if count < _FEWEST_IN_A_RING:
        return None
    ring = range(count)
    closed = _links([(*ring, 0)])
    if count % 2 or count < _FEWEST_TO_FOLD:
        return closed, [_INTO_ROW + _row(ring) + _OUT_OF_ROW, *_LEGEND]
    return closed, _winding(_cut(ring, count // 2), closed=True)


def _chain(count: int) -> Drawing | None:
    """One row; a chain too long for a terminal turns back at the end of each."""
    return _links([range(count)]), _winding(_cut(range(count), _LONGEST_ROW), closed=False)


def _unlinked(count: int) -> Drawing | None:
    """Devices side by side, and nothing between them."""
    return set(), [_beside_each_other(row) for row in _cut(range(count), _LONGEST_ROW)]


_SHAPES = {"torus": _torus, "ring": _ring, "chain": _chain, "none": _unlinked}


def _winding(rows: Sequence[Row], *, closed: bool) -> list[str]:
    """Rows that run forth and back in turn, joined where they turn, and at the other side too when `closed`."""
    width = len(rows[0])
    lines: list[str] = []
    for number, row in enumerate(rows):
        backward = number % 2 == 1
        if number:
            turn = width - 1 if backward else 0
            lines += [_beside(glyph, {turn, 0} if closed else {turn}, width) for glyph in "▲│▼"]
        drawn = _row(row[::-1] if backward else row)
        full = _NODE_WIDTH * width + len(_ACROSS) * (width - 1)
        lines.append(drawn.rjust(full) if backward else drawn.ljust(full))
    return lines


def _listed(devices: Iterable[int], links: set[Link]) -> list[str]:
    """One link a line, those in one direction only with one arrow; then the devices that have none."""
    lines = []
    for a, b in sorted(links):
        if (b, a) not in links:
            lines.append(f"{_node(a)}{_ONE_WAY}{_node(b)}")
        elif a <= b:
            lines.append(f"{_node(a)}{_ACROSS}{_node(b)}")
    linked = {device for link in links for device in link}
    return lines + [_node(device) for device in devices if device not in linked]


def _links(paths: Iterable[Row]) -> set[Link]:
    """The links along paths of devices, in both directions; a device is never linked with itself."""
    steps = {step for path in paths for step in pairwise(path)}
    return {link for a, b in steps if a != b for link in ((a, b), (b, a))}


def _cut(devices: Row, width: int) -> list[Row]:
    return [devices[start : start + width] for start in range(0, len(devices), width)]


def _row(devices: Row) -> str:
    return _ACROSS.join(map(_node, devices))


def _beside_each_other(devices: Row) -> str:
    return (" " * len(_ACROSS)).join(map(_node, devices))


def _beside(glyph: str, columns: Iterable[int], width: int) -> str:
    """A line between two rows of nodes, with the glyph at the middle of the given columns."""
    cells = [(glyph if column in columns else " ").center(_NODE_WIDTH) for column in range(width)]
    return (" " * len(_ACROSS)).join(cells)


def _node(device: int) -> str:
    return f"[{device:>2} ]"
