"""What is wrong with the host: findings with their numbers and advice, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len

from neurontools.schema.finding import CannotTell, Diagnosis, Finding, Scope
from neurontools.units import NS_PER_S, format_duration_ns, format_time_ns
from neurontools.views.top.panels.badge import SIGNS, unchecked
from neurontools.views.top.quantities import counted
from neurontools.views.top.spans import Block, Line, Span, clean, cut, left

_INDENT = "    "
_CLOCK = slice(11, 19)
_RULE = 26


def findings(diagnosis: Diagnosis | None, now_ns: int, width: int) -> Block:
    """The findings, the most severe first, each with what it was found by and what to do."""
    heading = (Span("Findings", "heading"),)
    if diagnosis is None:
        return Block(heading, (), (Line(cut((Span("nobody has looked yet", "dim"),), width)),))
    rows = [line for finding in diagnosis.findings for line in _finding(finding, now_ns, width)]
    if not rows:
        good = (Span("✓ ", "good"), Span(f"nothing found by {counted(len(diagnosis.checked), 'check')}", "strong"))
        rows = [Line(cut(good, width))]
    checked, blind = len(diagnosis.checked), unchecked(diagnosis)
    note = Span(f"{checked} checked, {blind} cannot be told", "dim")
    title = Span(f" ({len(diagnosis.findings)})", "strong") if diagnosis.findings else Span("")
    return Block((*heading, title), (note,), rows)


def blind_spots(diagnosis: Diagnosis | None, width: int) -> Block:
    """What cannot be told here, why, and what would supply it."""
    told = diagnosis.cannot_tell if diagnosis is not None else ()
    rows = [line for each in told for line in _cannot_tell(each, width)]
    if not rows:
        words = "everything could be checked" if diagnosis is not None else "nobody has looked yet"
        rows = [Line(cut((Span(words, "dim"),), width))]
    note = (Span(f"{len(told)}", "dim"),)
    return Block((Span("What cannot be told", "heading"),), note, rows)


def place_of(scope: Scope) -> str:
    """What a finding is about, in a few words."""
    if scope.kind == "link" and scope.peer is not None:
        return f"link {scope.device}-{scope.peer}"
    parts = (("device", scope.device), ("core", scope.core), ("process", scope.pid))
    named = [f"{name} {number}" for name, number in parts if number is not None and name == scope.kind]
    return named[0] if named else "host"


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken between words where that is possible."""
    width = max(1, width)
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        lines += [line] if line else []
        line = left(word, width).rstrip() if cell_len(word) > width else word
    return [*lines, line] if line else lines


def _finding(finding: Finding, now_ns: int, width: int) -> list[Line]:
    sign, role = SIGNS[finding.severity]
    age_s = max(0, now_ns - finding.since_ns) // NS_PER_S
    since = f"since {format_time_ns(finding.since_ns)[_CLOCK]}, {format_duration_ns(age_s * NS_PER_S)}"
    link = f"app.seek({finding.since_ns})"
    title = f"{sign} {finding.severity:<9}"
    first, *rest = wrapped(clean(f"{place_of(finding.scope)}: {finding.message}"), width - len(title)) or [""]
    lines = [
        Line((Span(title, role), Span(first, "strong"))),
        *(Line((Span(" " * len(title)), Span(part, "strong"))) for part in rest),
        Line((Span(f"{_INDENT}{since}", "dim", link), Span(f"   {finding.rule}", "dim"))),
    ]
    numbers = ", ".join(f"{name} {_number(value)}" for name, value in finding.evidence.items())
    lines += [Line((Span(_INDENT), Span(part, "dim"))) for part in wrapped(clean(numbers), width - len(_INDENT))]
    arrow = f"{_INDENT}→ "
    for place, part in enumerate(wrapped(clean(finding.advice), width - len(arrow))):
        lines.append(Line((Span(arrow if place == 0 else " " * len(arrow), "key"), Span(part))))
    return [Line(cut(line.spans, width)) for line in (*lines, Line())]


def _cannot_tell(each: CannotTell, width: int) -> Iterable[Line]:
    # An option that would supply it is one of the tool that looks at one period, not of this one.
    supply = f"neuron-doctor {each.supply}" if each.supply and each.supply.startswith("--") else each.supply
    reason = clean(f"{each.reason}; {supply}" if supply else each.reason)
    if width < 2 * _RULE:
        yield Line(cut((Span(each.rule, "strong"),), width))
        yield from (Line(cut((Span("  "), Span(part, "dim")), width)) for part in wrapped(reason, width - 2))
        return
    for place, part in enumerate(wrapped(reason, width - _RULE)):
        name = left(each.rule if place == 0 else "", _RULE)
        yield Line(cut((Span(name, "strong"), Span(part, "dim")), width))


def _number(value: int | float | str) -> str:
    # A pid or a status code is copied from here: no thousands are told apart.
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
