"""What all publishers share: their period, their feed, their lines for people, and what they never publish unasked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from neurontools.commands import errors
from neurontools.commands.doctor_look import Visit, facts_reader
from neurontools.commands.feed import Item, Lost, piped, sampled
from neurontools.commands.source_flags import source_environment
from neurontools.schema.inventory import RECORDING
from neurontools.schema.snapshot import Origin
from neurontools.schema.source import Replaying, SourceError
from neurontools.sources.choose import choose
from neurontools.units import NS_PER_S, parse_duration_ns

STDIN = "-"
"""The name of the source whose readings are neuron-monitor's lines on standard input."""

_LEAST_PERIOD_S, _MOST_PERIOD_S = 1, 3600

Say = Callable[[str], None]


def period_s(text: str) -> float:
    """The period that an option names, in seconds; UsageError for one that makes no sense."""
    return seconds("period", text)


def seconds(flag: str, text: str) -> float:
    """A time from a second to an hour that an option names; UsageError for what is none."""
    try:
        found = parse_duration_ns(text) / NS_PER_S
    except ValueError as error:
        raise errors.UsageError(f"--{flag}: {error}") from None
    if not _LEAST_PERIOD_S <= found <= _MOST_PERIOD_S:
        raise errors.UsageError(f"--{flag} takes 1s to 1h, not {text!r}")
    return found


def say_as(name: str) -> Say:
    """Says lines on stderr in a tool's name; where nobody can read them, they are lost."""

    return lambda line: _tell(f"{name}: {line}")


def _tell(line: str) -> None:
    with suppress(OSError, AttributeError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Wanted(NamedTuple):
    """What to read: the name of a source, None for this host, and what the environment and the options say of it."""

    spec: str | None
    environ: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, str], default: str | None = None) -> Wanted:
        """What the options say; `default` where they name no source. Raises UsageError."""
        return cls(given.get("source", default), source_environment(given))

    @property
    def is_stdin(self) -> bool:
        """Whether lines are read, which come when they come."""
        return self.spec == STDIN


def items_of(wanted: Wanted, every_s: float, say: Say, once: bool = False) -> Iterator[Item]:
    """What a source shows once a period, a loss told once and its end too.

    Raises SourceError; for who wants it `once` also where it cannot be expected to show anything.
    """
    lost = False
    for item in _items(wanted, every_s, say):
        if once and isinstance(item, Lost) and item.lasts:
            raise SourceError(f"there is nothing to show: {item.reason}")
        if isinstance(item, Lost) and not lost:
            say(f"nothing to publish: {item.reason}")
        elif lost and not isinstance(item, Lost):
            say("the source is back")
        lost = isinstance(item, Lost)
        yield item


def _items(wanted: Wanted, every_s: float, say: Say) -> Iterator[Item]:
    if wanted.is_stdin:
        if sys.stdin is None:
            raise SourceError("cannot read neuron-monitor's lines: standard input is closed")
        yield from piped(sys.stdin.fileno(), every_s, say, _tell)
        return
    source = choose(wanted.spec, wanted.environ)
    if isinstance(source, Replaying):
        say(f"note: {source.about}")
    try:
        yield from sampled(source, every_s, Visit(source, facts_reader(wanted.spec, wanted.environ)))
    finally:
        source.close()


def made_up(origin: Origin | None) -> bool:
    """Whether numbers of this origin could be taken for a real host's, and are not."""
    return origin is not None and (origin.simulated or origin.kind == RECORDING)


def is_loopback(url: str | None) -> bool:
    """Whether a URL, or a host and port, leads to this machine."""
    text = url or ""
    host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
