"""A diagnosis in words: findings with their evidence and the next step, then what was and what could not be checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import wrap

from neurontools.schema.finding import CannotTell, Diagnosis, Finding, Scope
from neurontools.schema.inventory import RECORDING, Inventory
from neurontools.units import NS_PER_S, format_bytes, format_duration_ns, format_time_ns

_WIDTH = 100
_INDENT = 10
_MOST_REASONS = 3
"""Of the last line, which is read first."""


def render(diagnosis: Diagnosis, inventory: Inventory | None, period: str = "") -> str:
    """The page, its last line always what could be checked. `period` says of a recording what it reaches over."""
    lines = [headline(diagnosis, inventory, period), ""]
    for finding in diagnosis.findings:
        lines += [*_finding(finding, diagnosis.time_ns), ""]
    if not diagnosis.findings:
        lines += ["Nothing was found by the rules that could be checked.", ""]
    unable = unchecked(diagnosis)
    if unable:
        lines += [*_cannot_tell(unable), ""]
    return "\n".join([*lines, summary(diagnosis)]) + "\n"


def headline(diagnosis: Diagnosis, inventory: Inventory | None, period: str = "") -> str:
    """Which host this is about, marked where it is none, and of when."""
    when = period or _instant(diagnosis.time_ns)
    if inventory is None:
        return f"no host could be read, {when}"
    mark = ("REPLAY " if inventory.origin == RECORDING else "") + ("SIMULATED " if inventory.simulated else "")
    scenario = f", scenario {inventory.scenario}" if inventory.scenario else ""
    driver = f", driver {inventory.driver_version}" if inventory.driver_version else ""
    devices = "1 device" if len(inventory.devices) == 1 else f"{len(inventory.devices)} devices"
    host = inventory.instance_type or "host of unknown type"
    return f"{mark}{host}{scenario}{driver}, {devices}, {when}"


def summary(diagnosis: Diagnosis) -> str:
    """The last line: how many rules were checked, and why the others could not be."""
    unable = unchecked(diagnosis)
    checked = len(diagnosis.checked)
    rules = "rule" if checked == 1 else "rules"
    if not unable:
        return f"{checked} {rules} checked, 0 cannot run here"
    return f"{checked} {rules} checked, {len(unable)} cannot run here ({_in_short(unable)})"


def _in_short(unable: Iterable[CannotTell]) -> str:
    """The commonest reasons, each up to what explains it; a rule's whole reason stands above."""
    reasons = Counter(each.reason.partition(":")[0] for each in unable)
    common = [f"{count}: {reason}" for reason, count in reasons.most_common(_MOST_REASONS)]
    others = reasons.total() - sum(count for _, count in reasons.most_common(_MOST_REASONS))
    return "; ".join([*common, *([f"{others}: other reasons"] if others else [])])


def change(finding: Finding, began: bool, now_ns: int) -> str:
    """A line about a finding that began or ended."""
    what = f"{finding.severity.upper()} {finding.rule}, {place(finding.scope)}"
    return f"{_instant(now_ns)}  {what}: {finding.message}" if began else f"{_instant(now_ns)}  over: {what}"


def unchecked(diagnosis: Diagnosis) -> list[CannotTell]:
    """What could not be told by rules that could not tell anything."""
    return [each for each in diagnosis.cannot_tell if each.rule not in diagnosis.checked]


def place(scope: Scope) -> str:
    """A scope in words."""
    if scope.kind == "core":
        device = f" (device {scope.device})" if scope.device is not None else ""
        return f"NeuronCore {scope.core}{device}"
    if scope.kind == "link":
        return f"link {scope.device}-{scope.peer}"
    if scope.kind == "process":
        return f"process {scope.pid}"
    return f"device {scope.device}" if scope.kind == "device" else "node"


def _instant(time_ns: int) -> str:
    """An instant to the second."""
    return format_time_ns(time_ns - time_ns % NS_PER_S)


def _finding(finding: Finding, now_ns: int) -> Iterator[str]:
    age = format_duration_ns(max(0, now_ns - finding.since_ns), 0)
    when = f"since {_instant(finding.since_ns)} ({age})"
    if finding.until_ns is not None:
        when = f"from {_instant(finding.since_ns)} to {_instant(finding.until_ns)}"
    yield f"{finding.severity.upper():<{_INDENT}}{finding.rule}, {place(finding.scope)}, {when}"
    yield from _block("", finding.message[:1].upper() + finding.message[1:])
    if finding.evidence:
        yield from _block(
            "seen", ", ".join(f"{name} {_figure(name, value)}" for name, value in finding.evidence.items())
        )
    if finding.advice:
        yield from _block("next", finding.advice)


def _block(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrap(text, _WIDTH - _INDENT, break_long_words=False, break_on_hyphens=False)):
        yield f"{label if number == 0 else '':<{_INDENT}}{line}"


def _figure(name: str, value: float | str) -> str:
    if isinstance(value, int) and name.endswith("_bytes"):
        return format_bytes(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cannot_tell(unable: Iterable[CannotTell]) -> Iterator[str]:
    yield "Cannot tell:"
    for reason, names in _by_reason(unable).items():
        supply = next((each.supply for each in unable if each.reason == reason and each.supply), None)
        helps = f" It would help: {supply}." if supply else ""
        text = f"{', '.join(names)}: {reason}.{helps}"
        yield from (f"  {line}" for line in wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False))


def _by_reason(unable: Iterable[CannotTell]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in unable:
        found.setdefault(each.reason, []).append(each.rule)
    return found
