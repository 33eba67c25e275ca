"""How the driver writes a value of each kind: pure functions from a value to the text of its file."""

from collections.abc import Callable, Iterable
from typing import Any

from neurontools.schema.snapshot import PeRow, Power

UNAVAILABLE = "unavailable"


def _line(value: object) -> str:
    return f"{value}\n"


def _hex16(value: int | str | None) -> str:
    """A number, or sixteen digits that are text already."""
    return "\n" if value is None else f"{value:016x}\n" if isinstance(value, int) else f"{value}\n"


def _uevent(of: tuple[int, int, str]) -> str:
    major, minor, name = of
    return f"MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\n"


def _power(power: Power) -> str:
    percents = (power.min_percent, power.max_percent, power.avg_percent)
    return f"{power.status},{power.epoch_s},{','.join(f'{percent:.2f}' for percent in percents)}\n"


def _power_raw(dice: Iterable[tuple[int, int] | None]) -> str:
    """Per die its use in hundredths of a percent and a count of samples; None where there is none."""
    shown = (UNAVAILABLE if die is None else f"{die[0]},{die[1]}" for die in dice)
    return "".join(["die,util_bips,counter\n", *(f"{i},{text}\n" for i, text in enumerate(shown))])


def _pe_counters(rows: Iterable[PeRow]) -> str:
    lines = [f"{i},{row.mm_active},{row.wl_active},{row.idle}\n" for i, row in enumerate(rows)]
    return "".join(["xrow_grp,mm_active,wl_active,idle\n", *lines])


FORMATS: dict[str, Callable[[Any], str]] = {
    "int": _line,
    "bare_int": str,
    "firmware_int": _line,
    "hex16": _hex16,
    "hex_id": lambda value: f"0x{value:04x}\n",
    "text": _line,
    "empty": lambda _: "",
    "numbers": lambda values: ", ".join(map(str, values)) + "\n",
    "modes": lambda values: ",".join(map(str, values)) + "\n",
    "uevent": _uevent,
    "power": _power,
    "power_raw": _power_raw,
    "pe_cntrs": _pe_counters,
}
"""By the kind of an attribute, see `KINDS` of the driver's table."""
