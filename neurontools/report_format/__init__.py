"""neuron-monitor's lines, AWS's or ours: the shape of the format, what one line tells, and how it is read."""

from neurontools.report_format.contents import (
    GROUPS,
    NAME_MARK,
    RUNTIME_GROUPS,
    SIMULATED,
    SYSTEM_GROUPS,
    Group,
    Report,
    Runtime,
)
from neurontools.report_format.decode import ReportError, decode, inventory_of, whole

__all__ = [
    "GROUPS",
    "NAME_MARK",
    "RUNTIME_GROUPS",
    "SIMULATED",
    "SYSTEM_GROUPS",
    "Group",
    "Report",
    "ReportError",
    "Runtime",
    "decode",
    "inventory_of",
    "whole",
]
