"""The table of neuron-ls: header lines and a box with a row per device and process."""

from collections.abc import Callable, Iterable, Sequence

from neurontools.schema.inventory import Holder, Inventory, InventoryDevice
from neurontools.views.ls import values

_DeviceCell = Callable[[Inventory, InventoryDevice], str]
_ProcessCell = Callable[[Holder, int], str]

# Heading in two lines, and the cell; those of a device stay blank on its further processes' rows.
_DEVICE_COLUMNS: dict[tuple[str, str], _DeviceCell] = {
    ("NEURON", "DEVICE"): lambda _, device: str(device.device),
    ("NEURON", "CORES"): lambda inventory, device: str(len(values.core_ids(inventory, device))),
    ("NEURON", "CORE IDS"): lambda inventory, device: _span(values.core_ids(inventory, device)),
    ("NEURON", "MEMORY"): lambda _, device: values.memory(device),
    ("CONNECTED", "DEVICES"): lambda _, device: ", ".join(map(str, device.connected_to)),
    ("PCI", "BDF"): lambda _, device: device.bdf or "",
    ("CPU", "AFFINITY"): lambda _, device: device.cpu_affinity or "",
    ("NUMA", "NODE"): lambda _, device: values.numa_node(device),
}
_PROCESS_COLUMNS: dict[tuple[str, str], _ProcessCell] = {
    ("PID", ""): lambda holder, _: str(holder.pid),
    ("COMMAND", ""): lambda holder, width: values.clip(_printable(holder.command), width),
    ("RUNTIME", "VERSION"): lambda holder, _: values.runtime_version(holder),
}

COLUMNS = (
    ("NEURON", "DEVICE"),
    ("NEURON", "CORES"),
    ("NEURON", "CORE IDS"),
    ("NEURON", "MEMORY"),
    ("CONNECTED", "DEVICES"),
    ("PCI", "BDF"),
    ("PID", ""),
    ("CPU", "AFFINITY"),
    ("NUMA", "NODE"),
    ("COMMAND", ""),
    ("RUNTIME", "VERSION"),
)
"""All columns in their order, by heading; one that is empty in every row is left out."""


def render(
    inventory: Inventory,
    *,
    command_width: int = values.COMMAND_WIDTH,
    columns: Sequence[tuple[str, str]] = COLUMNS,
) -> str:
    """The header lines and the table; every line, the last one too, ends with a newline."""
    groups = [_rows(inventory, device, command_width, columns) for device in inventory.devices]
    shown = [i for i in range(len(columns)) if any(row[i] for rows in groups for row in rows)]
    table = _box([columns[i] for i in shown], [[[row[i] for i in shown] for row in rows] for rows in groups])
    return "".join(f"{line}\n" for line in (*_header(inventory), *table))


def _header(inventory: Inventory) -> Iterable[str]:
    yield f"instance-type: {inventory.instance_type}"
    if inventory.instance_id:
        yield f"instance-id: {inventory.instance_id}"
    if values.shows_lnc(inventory):
        yield f"logical-neuroncore-config: {inventory.logical_neuroncore_config}"


def _rows(
    inventory: Inventory, device: InventoryDevice, command_width: int, columns: Sequence[tuple[str, str]]
) -> list[list[str]]:
    """A device's rows: one for each process, and one without a process where there is none."""
    rows = []
    for number, holder in enumerate(device.holders or (None,)):
        own = {key: cell(inventory, device) for key, cell in _DEVICE_COLUMNS.items()} if number == 0 else {}
        process = {key: cell(holder, command_width) for key, cell in _PROCESS_COLUMNS.items()} if holder else {}
        rows.append([own.get(key) or process.get(key) or "" for key in columns])
    return rows


def _box(headings: Sequence[tuple[str, str]], groups: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    columns = zip(*(row for rows in groups for row in rows), strict=True)
    widths = [max(map(_width, (*heading, *cells))) for heading, cells in zip(headings, columns, strict=True)]
    border = "+" + "".join("-" * (width + 2) + "+" for width in widths)
    lines = [border, *(_line(map(_centred, words, widths)) for words in zip(*headings, strict=True)), border]
    apart = any(len(rows) > 1 for rows in groups)
    for rows in groups:
        lines += [_line(map(_left, row, widths)) for row in rows]
        lines += [border] * apart
    return lines if apart else [*lines, border]


def _line(cells: Iterable[str]) -> str:
    return "".join(f"| {cell} " for cell in cells) + "|"


def _left(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _centred(text: str, width: int) -> str:
    """Headings that cannot be centred lean to the left."""
    return _left(" " * ((width - len(text)) // 2) + text, width)


def _span(ids: range) -> str:
    return f"{ids[0]}-{ids[-1]}" if len(ids) > 1 else "".join(map(str, ids))


def _printable(text: str) -> str:
    """The text on one line: a command may hold newlines and bytes that are no text."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _width(text: str) -> int:
    """Columns that a terminal gives a text: two to East Asian letters, none to accents set over another letter."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
