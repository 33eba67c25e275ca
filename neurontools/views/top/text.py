"""The screen as plain text: the same sections from the same contents, without escape codes, for `--once`."""

from __future__ import annotations

from collections.abc import Sequence

from neurontools.schema.finding import Diagnosis
from neurontools.schema.interval import Interval
from neurontools.schema.inventory import Inventory
from neurontools.views.top.panels import cores, details, footer, summary, title, vcpu
from neurontools.views.top.panels.findings import findings
from neurontools.views.top.plain import to_ascii
from neurontools.views.top.spans import Block, Span
from neurontools.views.top.state import Contents, View, contents
from neurontools.views.top.tree import Path

__all__ = ["WIDTH", "render", "sections", "to_ascii"]

WIDTH = 100


def render(interval: Interval, inventory: Inventory, version: str, diagnosis: Diagnosis | None = None) -> str:
    """All sections below each other, what is wrong first; the tree is opened where models are loaded."""
    shown = contents(interval, inventory, View(opened=_loaded(interval)))
    heading = title.render(shown.title, version, WIDTH)
    wrong = (findings(diagnosis, interval.head.time_ns, WIDTH),) if diagnosis is not None and diagnosis.findings else ()
    blocks = (heading, *wrong, *sections(shown))
    return "\n".join(_block(block) for block in blocks)


def sections(shown: Contents) -> Sequence[Block]:
    """The sections in the order of the screen, each with all of its rows."""
    every = len(shown.cores.rows) + 1
    return (
        cores.render(shown.cores, WIDTH, every),
        vcpu.render(shown.vcpu, WIDTH, 2),
        summary.render(shown.memory, WIDTH, 12),
        details.render(shown.tree._replace(selected=None), WIDTH),
        Block(rows=footer.render(shown.tabs, shown.why_no_tabs, (), WIDTH).rows[:1]),
    )


def _block(block: Block) -> str:
    lines = [_text(line.spans) for line in block.lines()]
    if block.heading:
        note = f"  {_text(block.remark())}" if block.remark() else ""
        lines.insert(0, f"{_text(block.heading)}{note}")
    while lines and not lines[-1].strip():
        lines.pop()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _text(spans: Sequence[Span]) -> str:
    return "".join(span.text for span in spans)


def _loaded(interval: Interval) -> frozenset[Path]:
    """The devices and cores that hold a model, and nothing deeper."""
    pieces = (piece for process in interval.processes for model in process.models or () for piece in model.subgraphs)
    return frozenset(path for piece in pieces for path in ((piece.device,), (piece.device, piece.core)))
