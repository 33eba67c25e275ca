"""Turns the screens of a terminal, each with its time, into one SVG that moves by itself and needs no script."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from rich.ansi import AnsiDecoder
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text

CELL, ROW, MARGIN = 8.4, 17.0, 12.0
"""Of a character and a line, and around them, in pixels at 14 px."""

THEME: TerminalTheme = MONOKAI
_WORDS = re.compile(r"\S+(?: \S+)*")
"""What is drawn in one piece: several blanks would be drawn as one."""
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Run(NamedTuple):
    """Characters of one look; `back` is None where it is the terminal's own."""

    text: str
    front: str
    back: str | None
    bold: bool


Line = tuple[Run, ...]


class Frame(NamedTuple):
    """A screen, and how many seconds after the first it appeared."""

    at_s: float
    lines: tuple[Line, ...]


def painted(ansi: str, rows: int) -> list[Line]:
    """As many lines of a screen that is given with its escape sequences, which reach from one line into the next."""
    console = Console(width=1000, color_system="truecolor", force_terminal=True)
    lines = [tuple(_runs(text, console)) for text in AnsiDecoder().decode(ansi)]
    return [*lines, *[()] * rows][:rows]


def _runs(text: Text, console: Console) -> Iterator[Run]:
    for run, style, _ in Segment.simplify(text.render(console)):
        front, back = _colours(style or Style())
        yield Run(run, front, back, bool(style and style.bold))


def moving_svg(frames: Sequence[Frame], columns: int, rows: int, lasts_s: float) -> str:
    """The frames one after another, over and over; a line that several have is drawn once and used by each."""
    width, height = columns * CELL + 2 * MARGIN, rows * ROW + 2 * MARGIN
    known: dict[Line, str] = {}
    drawn = [_frame(frame, number, known) for number, frame in enumerate(frames)]
    ends = [*(frame.at_s for frame in frames[1:]), lasts_s]
    shown = [
        _keyframes(number, frame.at_s / lasts_s * 100, end / lasts_s * 100, lasts_s)
        for number, (frame, end) in enumerate(zip(frames, ends, strict=True))
    ]
    symbols = [f'<g id="{name}">{_line(line)}</g>' for line, name in known.items()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
            f' height="{height:g}" font-family="{_FONT}" font-size="14px">',
            f"<style>.f{{visibility:hidden}}\n{''.join(shown)}</style>",
            f'<rect width="100%" height="100%" rx="8" fill="{_hex(THEME.background_color)}"/>',
            "<defs>",
            *symbols,
            "</defs>",
            *drawn,
            "</svg>\n",
        ]
    )


def _keyframes(number: int, begins: float, ends: float, lasts_s: float) -> str:
    """When a frame is seen, in percent of the whole."""
    steps = ["0%{visibility:hidden}"] if begins > 0 else []
    steps.append(f"{begins:.3f}%{{visibility:visible}}")
    steps += [f"{ends:.3f}%{{visibility:hidden}}"] if ends < 100 else []
    return f"@keyframes k{number}{{{''.join(steps)}}}#f{number}{{animation:k{number} {lasts_s:g}s step-end infinite}}\n"


def _frame(frame: Frame, number: int, known: dict[Line, str]) -> str:
    uses = []
    for row, line in enumerate(frame.lines):
        if any(run.text.strip() or run.back for run in line):
            name = known.setdefault(line, f"l{len(known)}")
            uses.append(f'<use href="#{name}" y="{MARGIN + row * ROW:g}"/>')
    return f'<g class="f" id="f{number}">{"".join(uses)}</g>'


def _line(line: Line) -> str:
    """A line at the top: backgrounds, then texts, each as wide as its cells."""
    column, backs, texts = 0, [], []
    for run in line:
        cells, x = cell_len(run.text), MARGIN + column * CELL
        if run.back is not None:
            backs.append(f'<rect x="{x:.1f}" width="{cells * CELL + 0.3:.1f}" height="{ROW:g}" fill="{run.back}"/>')
        for word in _WORDS.finditer(run.text):
            at, wide = x + cell_len(run.text[: word.start()]) * CELL, cell_len(word[0]) * CELL
            weight = ' font-weight="bold"' if run.bold else ""
            shape = f'x="{at:.1f}" y="13" fill="{run.front}" textLength="{wide:.1f}"'
            texts.append(f"<text {shape}{weight}>{escape(word[0])}</text>")
        column += cells
    return "".join([*backs, *texts])


def _colours(style: Style) -> tuple[str, str | None]:
    front = _colour(style.color, THEME.foreground_color)
    back = _colour(style.bgcolor, None) if style.bgcolor is not None else None
    if style.reverse:
        front, back = back or _hex(THEME.background_color), front or _hex(THEME.foreground_color)
    if style.dim and front is not None:
        front += "99"
    return front or _hex(THEME.foreground_color), back


def _colour(colour: Color | None, otherwise: tuple[int, int, int] | None) -> str | None:
    if colour is not None and not colour.is_default:
        return _hex(tuple(colour.get_truecolor(THEME)))
    return _hex(otherwise) if otherwise is not None else None


def _hex(rgb: Sequence[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb[:3])
