"""Bytes, percentages, durations and instants to and from text, and runs of numbers to text."""

from collections.abc import Iterable

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

_BINARY = (("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB))

# As GNU coreutils reads them: a bare letter and "KiB" are powers of 1024, "KB" of 1000.
_BYTES_OF = {"": 1, "b": 1} | {
    suffix: size
    for power, letter in enumerate("kmgtp", start=1)
    for suffix, size in ((letter, 1024**power), (letter + "ib", 1024**power), (letter + "b", 1000**power))
}

_LARGE_TIMES = (("d", 86_400 * NS_PER_S), ("h", 3_600 * NS_PER_S), ("m", 60 * NS_PER_S))
_SMALL_TIMES = (("s", NS_PER_S), ("ms", NS_PER_MS), ("µs", NS_PER_US), ("ns", 1))
# "us" and the Greek letter are Go's other spellings; an escape by name would import unicodedata.
_NS_OF = dict(_LARGE_TIMES + _SMALL_TIMES) | {"us": NS_PER_US, "\u03bcs": NS_PER_US}
_MOST_DIGITS = 1000
"""Python refuses to read numbers of more than some thousand digits."""


def format_bytes(count: int, digits: int = 2) -> str:
    """Bytes in the largest binary unit that leaves at least one, such as "14.75 GiB"; below 1 KiB exact ("512 B")."""
    for name, size in _BINARY:
        # what would be printed as 1024 of the smaller unit counts as 1 of this one
        if round(abs(count) / (size // KIB), digits) >= KIB:
            return f"{count / size:.{digits}f} {name}"
    return f"{count} B"


def format_capacity(count: int) -> str:
    """A size of hardware, without decimals that say nothing: "384 GiB", but "1.50 TiB"."""
    return format_bytes(count).replace(".00 ", " ")


def parse_bytes(text: str) -> int:
    """Bytes from "1GB" (10**9), "512MiB", "10k" (10 * 1024), "14.75 GiB" or "4096"; letters in either case.

    ValueError for anything else, negative sizes included.
    """
    compact = text.strip().lower()
    number = compact.rstrip("abcdefghijklmnopqrstuvwxyz ")
    size = _BYTES_OF.get(compact[len(number) :].strip())
    if size is None or not _is_decimal(number):
        raise ValueError(f"expected a size such as 512MiB, 10k or 1GB, got {text!r}")
    return _scaled(number, size)


def parse_duration_ns(text: str) -> int:
    """Nanoseconds from a Go duration ("1m30s", "500ms", "1.0s", "0") with days besides ("7d"); parts of a ns are cut.

    ValueError for anything else, negative durations included.
    """
    rest = text.strip()
    if rest == "0":
        return 0
    total = 0
    while True:
        number = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        unit = rest[len(number) :]
        unit = unit[: len(unit) - len(unit.lstrip("dhmsnuµ\u03bc"))]
        if unit not in _NS_OF or not _is_decimal(number):
            raise ValueError(f"expected a duration such as 10m, 1m30s, 500ms or 7d, got {text!r}")
        total += _scaled(number, _NS_OF[unit])
        rest = rest[len(number) + len(unit) :]
        if not rest:
            return total


def format_duration_ns(duration_ns: int, digits: int | None = None) -> str:
    """A duration as `parse_duration_ns` reads it: "1m30s", "500ms", "1.5s", "7d".

    Exact, unless `digits` says how many decimals of its smallest unit to keep at most.
    """
    sign, left = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if digits is not None:
        left = _rounded_time(left, digits)
    text = ""
    for name, size in _LARGE_TIMES:
        count, left = divmod(left, size)
        text += f"{count}{name}" if count else ""
    if left or not text:
        # after minutes the rest is written in seconds, as Go does: 1m0.5s
        name, size = _SMALL_TIMES[0] if text else _small_unit(left)
        whole, part = divmod(left, size)
        decimals = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
        text += f"{whole}.{decimals}{name}" if decimals else f"{whole}{name}"
    return sign + text


def format_time_ns(time_ns: int) -> str:
    """An instant in UTC as RFC 3339 has it, with as many of its decimals as say something: 2026-01-05T00:00:15Z."""
    from time import gmtime, strftime

    seconds, rest = divmod(time_ns, NS_PER_S)
    decimals = f".{rest:09d}".rstrip("0") if rest else ""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds)) + decimals + "Z"


def parse_time_ns(text: str) -> int:
    """Nanoseconds since 1970 from an instant as RFC 3339 has it; the date may be followed by a blank, UTC is meant.

    ValueError for anything else.
    """
    from calendar import timegm
    from time import strptime

    whole, dot, decimals = text.strip().removesuffix("Z").replace("T", " ", 1).partition(".")
    if dot and not (decimals.isascii() and decimals.isdigit() and len(decimals) <= 9):
        whole = ""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return timegm(strptime(whole, form)) * NS_PER_S + int(decimals.ljust(9, "0") if dot else 0)
        except ValueError:
            continue
    raise ValueError(f"expected an instant such as 2026-01-05T00:10:00Z, got {text!r}")


def format_percent(percent: float, digits: int = 2) -> str:
    """A percentage given as 0 to 100, such as "56.86%"."""
    return f"{percent:.{digits}f}%"


def whole_number(text: str) -> int | None:
    """The number that decimal digits spell; None for anything else, and for pages of digits."""
    return int(text) if _are_digits(text) else None


def _is_decimal(number: str) -> bool:
    whole, _, part = number.partition(".")
    return _are_digits(whole + part)


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _scaled(number: str, size: int) -> int:
    """`number` times `size`, exact in integers, cut towards zero."""
    whole, _, part = number.partition(".")
    return int(whole or "0") * size + int(part or "0") * size // int("1" + "0" * len(part))


def _small_unit(duration_ns: int) -> tuple[str, int]:
    if not duration_ns:
        return _SMALL_TIMES[0]
    return next(unit for unit in _SMALL_TIMES if duration_ns >= unit[1])


def _rounded_time(duration_ns: int, digits: int) -> int:
    """Rounded to `digits` decimals of the unit that it will be written in."""
    size = _small_unit(duration_ns)[1]
    step = max(1, size // int("1" + "0" * digits))
    return (duration_ns + step // 2) // step * step


def format_ranges(numbers: Iterable[int], between: str = ", ") -> str:
    """Different numbers in their order, with the runs among them joined: "0-7, 12"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return between.join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
