"""Numbers as people read them in a narrow place: rates, latencies, sizes in the chosen unit, counts of things."""

from __future__ import annotations

from collections.abc import Callable

from neurontools.units import format_bytes

Sizes = Callable[[int], str]
"""How bytes are written: in GiB or in GB."""

_DECIMAL = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_LEAST_FIGURE = 0.001
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_LATENCIES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def binary(count: int) -> str:
    """Bytes in powers of 1024: "14.75 GiB"."""
    return format_bytes(count)


def decimal(count: int) -> str:
    """Bytes in powers of 1000: "15.84 GB"; below 1 kB exact."""
    for name, size in _DECIMAL:
        if round(abs(count) / (size // 1000), 2) >= 1000:
            return f"{count / size:.2f} {name}"
    return f"{count} B"


def latency(seconds: float) -> str:
    """A latency with three figures: "812 µs", "4.20 ms", "1.32 s"."""
    size, unit = next((each for each in _LATENCIES if seconds >= each[0]), _LATENCIES[-1])
    return f"{_three(seconds / size)} {unit}"


def rate(value: float) -> str:
    """A number per second: "0.42", "31.5", "12,345"."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.{1 if value >= 10 else 2}f}" if value else "0"


def figures(value: float) -> str:
    """Three figures, never as a power of ten: "0.42", "31.5", "1,230"."""
    rounded = float(f"{value:.3g}")
    if 0 < rounded < _LEAST_FIGURE:
        return f"<{_LEAST_FIGURE}"
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:.3g}"


def prefixed(value: float) -> tuple[str, str]:
    """Three figures and the prefix of their power of 1000: ("2.69", "G")."""
    rounded = float(f"{value:.3g}")
    size, prefix = next((each for each in _PREFIXES if rounded >= each[0]), (1.0, ""))
    return figures(value / size), prefix


def counted(number: int, word: str) -> str:
    """A number of things: "1 device", "16 devices", "3 processes"."""
    return f"{number:,} {word}{'' if number == 1 else 'es' if word.endswith('s') else 's'}"


def _three(value: float) -> str:
    return f"{value:.{max(0, 2 - (value >= 10) - (value >= 100))}f}"
