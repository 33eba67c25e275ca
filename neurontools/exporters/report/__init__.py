"""neuron-monitor's document: what is in one, its text, and back from the text to intervals."""

from neurontools.exporters.report.contents import full_report, hardware_info, instance_info
from neurontools.exporters.report.encode import encode
from neurontools.exporters.report.extended import extended
from neurontools.exporters.report.needs import needed, needed_kind
from neurontools.report_format import (
    GROUPS,
    RUNTIME_GROUPS,
    SYSTEM_GROUPS,
    Group,
    Report,
    ReportError,
    Runtime,
    decode,
    inventory_of,
    whole,
)

__all__ = [
    "GROUPS",
    "RUNTIME_GROUPS",
    "SYSTEM_GROUPS",
    "Group",
    "Report",
    "ReportError",
    "Runtime",
    "decode",
    "encode",
    "extended",
    "full_report",
    "hardware_info",
    "instance_info",
    "inventory_of",
    "needed",
    "needed_kind",
    "whole",
]
