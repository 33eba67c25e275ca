"""Instants of a recording as people name them: from its start, before its end, or as a time of day."""

from neurontools.units import parse_duration_ns, parse_time_ns

GRAMMAR = "-10m (before the end), 10m (after the start) or 2026-01-05T00:10:00Z"
"""How an instant is written, in words."""


def instant_ns(text: str, span: tuple[int, int]) -> int:
    """The instant that a text names in a recording from the first to the second of `span`. Raises ValueError."""
    if text.startswith("-"):
        return span[1] - parse_duration_ns(text[1:])
    if text[:1].isdigit() and "-" in text:
        return parse_time_ns(text)
    return span[0] + parse_duration_ns(text.removeprefix("+"))
