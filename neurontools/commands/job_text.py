"""The account of a job as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import join
from textwrap import wrap

from neurontools.commands.job_account import Account, User
from neurontools.hardware.nrt import STATUSES
from neurontools.units import NS_PER_S, format_bytes, format_duration_ns

_WIDTH = 100
_MARGIN = 9
_SCALES = (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))
_MOST_LISTED = 8
_SUCCESS = 0


def render(account: Account) -> str:
    """Paragraphs with a word in the margin; what is unknown says so."""
    lines: list[str] = []
    for word, text in _paragraphs(account):
        first, *more = wrap(text, _WIDTH - _MARGIN, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{word:<{_MARGIN}}{first}", *(" " * _MARGIN + line for line in more)]
    return "".join(f"{line}\n" for line in lines)


def _paragraphs(account: Account) -> Iterator[tuple[str, str]]:
    lasted = format_duration_ns(round(account.duration_s * NS_PER_S), 1)
    host = f"{account.instance_type} ({account.origin.mark})"
    yield "job", f"{join(account.command)}: exit code {account.exit_code}, {lasted} on {host}"
    yield "compute", _compute(account)
    yield "codes", _codes(account)
    yield "memory", _memory(account)
    yield "ecc", _listed(f"device {each.device}: {each.counter} +{each.count:,}" for each in account.ecc) or "no change"
    if account.own:
        yield "own", _users(account.own)
    if not account.processes_known:
        yield "others", "unknown: processes could not be seen; what others did can be in these figures"
    elif account.others:
        yield (
            "others",
            f"used the devices meanwhile, and what they did can be in these figures: {_users(account.others)}",
        )
    if left := [user for user in account.own if user.left]:
        yield "note", f"still held by the job: {_users(left)}; drivers before 2.30.2 count what they did when they end"
    if account.resets:
        yield "note", f"{len(account.resets)} counters were set to zero meanwhile, {account.resets[0]} among them"
    for part, reason in account.unknown.items():
        yield "unknown", f"{part}: {reason}"


def _compute(account: Account) -> str:
    seconds = "unknown" if account.core_seconds is None else f"{account.core_seconds:,.1f}"
    flops = "unknown " if account.flops is None else _scaled(account.flops)
    executions = "unknown" if account.executions is None else f"{account.executions:,}"
    on = f" on {len(account.cores)} cores" if account.cores else ""
    return f"{seconds} core-seconds, {flops}FLOP, {executions} executions{on}; one counts on each of its cores"


def _codes(account: Account) -> str:
    told = []
    for status in account.statuses:
        name = status.directory if status.name is None else f"{status.name} ({status.code})"
        known = STATUSES.get(status.code) if status.code is not None else None
        why = f", {known.meaning.rstrip('.').lower()}" if known is not None and status.code != _SUCCESS else ""
        told.append(f"{status.count:,} {name}{why}")
    return "; ".join(told) or "none was counted"


def _memory(account: Account) -> str:
    if not account.memory:
        return "none was seen in use"
    total = sum(peak.bytes for peak in account.memory)
    before = sum(peak.before_bytes for peak in account.memory)
    largest = sorted(account.memory, key=lambda peak: -peak.bytes)
    parts = ", ".join(f"{'' if peak.exact else 'about '}{format_bytes(peak.bytes)} {peak.category}" for peak in largest)
    return f"peak {format_bytes(total)}: {parts}; {format_bytes(before)} were in use before"


def _users(users: Iterable[User]) -> str:
    return _listed(f"pid {user.pid} ({(user.command or '?').split()[0]}) on {_cores(user.cores)}" for user in users)


def _cores(cores: tuple[int, ...]) -> str:
    if len(cores) > 1 and cores == tuple(range(cores[0], cores[-1] + 1)):
        return f"cores {cores[0]}-{cores[-1]}"
    return f"core{'s' * (len(cores) > 1)} {', '.join(map(str, cores))}"


def _listed(parts: Iterable[str]) -> str:
    listed = list(parts)
    more = f"; and {len(listed) - _MOST_LISTED} more" if len(listed) > _MOST_LISTED else ""
    return "; ".join(listed[:_MOST_LISTED]) + more


def _scaled(count: int) -> str:
    prefix, size = next(((prefix, size) for prefix, size in _SCALES if count >= size), ("", 1.0))
    return f"{count / size:.3g} {prefix}"
