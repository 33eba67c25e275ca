"""What a terminal shows of neuron-top, cell by cell: letters and colours, and how one theme's differ from another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import NamedTuple

from rich.style import Style

from neurontools.views.top.app import TopApp

_ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
_WIDTH = 36


class Paint(NamedTuple):
    """The lines of letters, and the style of each column of each of them."""

    lines: tuple[str, ...]
    styles: tuple[tuple[str, ...], ...]


def paint(app: TopApp) -> Paint:
    """What the screen in front shows; a letter of two columns has its style twice."""
    strips = app.screen._compositor.render_strips()
    lines = tuple("".join(segment.text for segment in strip) for strip in strips)
    styles = tuple(
        tuple(name for segment in strip for name in [_named(segment.style)] * segment.cell_length) for strip in strips
    )
    return Paint(lines, styles)


def _named(style: Style | None) -> str:
    """Letters' colour, ground's, and what else there is to see."""
    style = style or Style()
    colours = [each.get_truecolor().hex if each is not None else "default" for each in (style.color, style.bgcolor)]
    return " ".join([f"{colours[0]} on {colours[1]}", *(name for name in _ATTRIBUTES if getattr(style, name))])


def palette(before: Paint, after: Paint) -> Iterator[str]:
    """Which style takes the place of which, with the number of columns; with their places where that is not by style.

    So the picture of one theme and these lines are the picture of the other.
    """
    places: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for y, (old, new) in enumerate(zip(before.styles, after.styles, strict=True)):
        for x, (one, other) in enumerate(zip(old, new, strict=True)):
            places.setdefault(one, {}).setdefault(other, []).append((y, x))
    for one, others in sorted(places.items()):
        common = max(others, key=lambda other: len(others[other]))
        for other, cells in sorted(others.items(), key=lambda item: item[0] != common):
            where = "" if other == common else f" at {' '.join(_runs(cells))}"
            yield f"{one:<{_WIDTH}} {other:<{_WIDTH}} {len(cells)}{where}"


def _runs(cells: list[tuple[int, int]]) -> Iterator[str]:
    """Cells in their order as "row:first-last"."""
    for (y, _), run in groupby(enumerate(cells), key=lambda item: (item[1][0], item[1][1] - item[0])):
        columns = [x for _, (_, x) in run]
        yield f"{y}:{columns[0]}-{columns[-1]}"


def in_all_themes(paints: Mapping[str, Paint]) -> str:
    """The lines for all themes but the first, whose picture they refer to; letters are the same in all of them."""
    (first, reference), *others = paints.items()
    text = [f"in place of {first}'s styles, as the picture has them, columns on the screen:"]
    for name, other in others:
        assert other.lines == reference.lines, f"{name} has other letters than {first}"
        text += ["", name, *(f"  {line}" for line in palette(reference, other))]
    return "\n".join(text) + "\n"
