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
from neurontools.report_format.decode import ReportError, chip_in, decode, inventory_of, report_of, whole
from neurontools.report_format.salvage import Salvage, salvage

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
    "Salvage",
    "chip_in",
    "decode",
    "inventory_of",
    "report_of",
    "salvage",
    "whole",
]
