"""The memory of each device and of each process by category, the headroom, and the bank map of one device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from neurontools.schema.allocations import Allocations
from neurontools.schema.interval import Interval
from neurontools.views.top import banks
from neurontools.views.top.memory import DEVICE_CATEGORIES, fold_device, fold_host
from neurontools.views.top.quantities import Sizes
from neurontools.views.top.spans import NOT_KNOWN, Block, Line, Span, bar, clean, cut, left, right, width_of

_LABEL = 7
_SIZE = 11
_PERCENT = 7
_TITLES = ("USED", "FREE", "LARGEST")
_LEAST_BAR, _MOST_BAR = 8, 60
_LEAST_NAME, _COLUMN = 18, 12
_ROLES = ("memory", "flops", "user", "system", "low")
_SIGNS = "TCMRS"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BANK_ROLES = ("memory", "flops", "user", "middle", "system")


def devices(interval: Interval, selected: int, sizes: Sizes, width: int, why: Callable[[str], str]) -> Block:
    """A row for each device: a bar with a part for each category, what is used and what is free."""
    room = min(_MOST_BAR, width - _LABEL - _PERCENT - 3 * (_SIZE + 1) - 2)
    named = room >= _LEAST_BAR
    by_device: dict[int, list[Mapping[str, int] | None]] = {}
    for core in interval.cores:
        by_device.setdefault(core.device, []).append(core.memory)
    shown = max(1, min(len(_TITLES), (width - _LABEL) // (_SIZE + 1)))
    head = [Span(" " * (_LABEL + (room if named else 0))), *(Span(right(t, _SIZE + 1), "dim") for t in _TITLES[:shown])]
    rows = [Line(cut(head, width))]
    unknown = ""
    for device in interval.devices:
        used, total = device.memory_used_bytes, device.memory_total_bytes
        parts = _folded(by_device.get(device.device, []))
        if used is None:
            unknown = why("device_memory_used_bytes")
        extents = [bank.largest_free_bytes for bank in device.banks if bank.largest_free_bytes is not None]
        free = None if used is None or total is None else total - used
        spans = [Span(left(f"ND{device.device}", _LABEL), "strong", f"select_device({device.device})")]
        if named:
            spans += bar(_shares(parts, used, total), room)
        for value in (used, free, max(extents, default=None))[:shown]:
            spans.append(
                Span(right(NOT_KNOWN if value is None else sizes(value), _SIZE + 1), "text" if value else "dim")
            )
        percent = device.memory_used_percent
        spans.append(Span(right("" if percent is None else f"{percent:.1f}%", _PERCENT), "dim"))
        rows.append(Line(cut(spans, width), "selected" * (device.device == selected)))
    place = next((n for n, each in enumerate(interval.devices, 1) if each.device == selected), None)
    return Block((Span("Devices", "heading"),), _legend(width), rows, focus=place, fixed=1, why=unknown)


def owners(interval: Interval, sizes: Sizes, width: int, why: Callable[[str], str]) -> Block:
    """A row for each process: device memory by category, and on the host."""
    heading = (Span("By process", "heading"),)
    if not interval.processes:
        unseen = f"{NOT_KNOWN}: {why('node_process_count')}"
        words = "no process uses a Neuron device" if interval.processes_known else unseen
        return Block(heading, (), (Line(cut((Span(words, "dim"),), width)),))
    count = max(1, min(len(DEVICE_CATEGORIES) + 2, (width - _LEAST_NAME) // _COLUMN))
    titles = ("DEVICE", "HOST", *(_short(category) for category in DEVICE_CATEGORIES))[:count]
    name = max(1, width - _COLUMN * count)
    head = Span(left("PROCESS", name) + "".join(right(title, _COLUMN) for title in titles), "dim")
    rows = [Line(cut((head,), width))]
    unknown = ""
    ranked = sorted(interval.processes, key=lambda each: -(each.memory_used_bytes or 0))
    for process in ranked:
        known = [] if process.memory is None else _folded(list(process.memory.values()))
        parts: list[int | None] = [*known] if known else [None] * len(DEVICE_CATEGORIES)
        host = process.host_memory
        on_host = process.host_memory_bytes if host is None else sum(fold_host(host).values())
        values = (process.memory_used_bytes, on_host, *parts)[:count]
        if process.memory_used_bytes is None:
            unknown = why("process_memory_used_bytes")
        label = f"{process.pid} {clean(process.tag or process.command or '')}"
        rows.append(
            Line(cut((Span(left(label, name), "strong"), *(_size(value, sizes, _COLUMN) for value in values)), width))
        )
    return Block(heading, (), rows, fixed=1, why=unknown)


def bank_map(
    allocations: Allocations | None,
    device: int,
    names: Mapping[int, str],
    sizes: Sizes,
    size: tuple[int, int],
    why: str,
) -> Block:
    """A row for each bank with a letter for each stretch's owner; below it who the letters are."""
    width, height = size
    heading = (Span(f"Bank map of device {device}", "heading"),)
    if allocations is None:
        words = f"{NOT_KNOWN}: {why}" if why else "reading it"
        return Block(heading, (), (Line(cut((Span(words, "dim"),), width)),))
    held = banks.held(allocations)
    letters = {pid: _LETTERS[place % len(_LETTERS)] for place, pid in enumerate(held)}
    roles = {pid: _BANK_ROLES[place % len(_BANK_ROLES)] for place, pid in enumerate(held)}
    tail = 2 * (_SIZE + 1) + 22
    room = max(4, width - _LABEL - (tail if width > tail + 24 else 0))
    rows: list[Line] = []
    each = max(1, (height - len(held) - 1) // max(1, len(allocations.banks)))
    thick = min(3, each)
    for bank in banks.views(allocations, room * thick):
        for part in range(thick):
            stretch = bank.owners[part * room : (part + 1) * room]
            label = f"bank {bank.bank}" if part == 0 else ""
            spans = [Span(left(label, _LABEL) if width > 30 else left(label[-2:], _LABEL), "strong")]
            spans += _stretches(stretch, letters, roles)
            if part == 0:
                free = bank.total_bytes - bank.used_bytes
                text = f"  {right(sizes(free), _SIZE)} free, largest {right(sizes(bank.largest_free_bytes), _SIZE)}"
                spans.append(Span(text, "text" if free else "warn"))
            rows.append(Line(cut(spans, width)))
    for pid, count in held.items():
        who = (Span(f"{letters[pid] * 3} ", roles[pid]), Span(f"{pid} {clean(names.get(pid, ''))}  "))
        rows.append(Line(cut((*who, Span(sizes(count), "dim")), width)))
    if not held:
        rows.append(Line(cut((Span("nobody holds memory here", "dim"),), width)))
    note = (Span("· free  ░ the driver's", "dim"),)
    return Block(heading, note, rows)


def _shares(parts: Sequence[int], used: int | None, total: int | None) -> list[tuple[float, str]]:
    """The parts of a device's bar: its categories, where these are known."""
    if not total:
        return []
    if not parts:
        return [((used or 0) / total, _ROLES[0])]
    return [(count / total, role) for count, role in zip(parts, _ROLES, strict=True)]


def _stretches(owners_: Sequence[int], letters: Mapping[int, str], roles: Mapping[int, str]) -> list[Span]:
    signs = {banks.FREE: ("·", "faint"), banks.RESERVED: ("░", "dim")}
    return [Span(*(signs.get(owner) or (letters[owner], roles[owner]))) for owner in owners_]


def _size(value: int | None, sizes: Sizes, width: int) -> Span:
    return Span(right(NOT_KNOWN if value is None else sizes(value), width), "text" if value else "dim")


def _folded(memories: Sequence[Mapping[str, int] | None]) -> list[int]:
    """Bytes by the screen's categories; nothing where they are not known of all."""
    if not memories or any(memory is None for memory in memories):
        return []
    sums: dict[str, int] = {}
    for memory in memories:
        for category, count in (memory or {}).items():
            sums[category] = sums.get(category, 0) + count
    return list(fold_device(sums).values())


def _short(category: str) -> str:
    """The word that tells it from the others."""
    return next(word for word in reversed(category.split()) if word != "Memory").upper()


def _legend(width: int) -> tuple[Span, ...]:
    spans: list[Span] = []
    for category, role in zip(DEVICE_CATEGORIES, _ROLES, strict=True):
        spans += [Span("━ ", role), Span(f"{category.lower()}  ", "dim")]
    return tuple(spans) if width_of(spans) + 20 <= width else ()
