"""How a fault that is injected is spoken of in one line."""

from collections.abc import Mapping
from typing import Any

from neurontools.units import format_duration_ns


def short(fault: Mapping[str, Any], time_ns: int) -> str:
    """A lasting fault as the model describes it, at the model's time `time_ns`."""
    said = "".join(f", {name} {spelled(value)}" for name, value in fault["parameters"].items() if value is not False)
    until_ns = fault["until_ns"]
    left = "" if until_ns is None else f", {format_duration_ns(until_ns - time_ns, 1)} left"
    so_far = format_duration_ns(time_ns - fault["since_ns"], 1)
    return f"{fault['id']} {fault['fault']} on {fault['target']}{said} ({so_far} so far{left})"


def spelled(value: object) -> str:
    """A parameter's value as people write it."""
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
