"""All rules, in the order of their use."""

from neurontools.diagnosis.rule import Rule
from neurontools.diagnosis.rules import compare, driver, executions, hardware, host, memory, progress, waiting
from neurontools.diagnosis.rules.host import BLIND

__all__ = ["BLIND", "BY_ID", "RULES"]

_ORDER = (
    *("driver-absent", "device-missing", "driver-mismatch", "runtime-mismatch", "core-held"),
    *("ecc-uncorrected", "ecc-repairable", "ecc-corrected-rate", "hardware-error", "device-health"),
    *("reset-failed", "device-reset", "out-of-memory", "counters-not-live", "no-progress", "collectives-hang"),
    *("allocated-idle", "numerical-errors", "execution-errors", "memory-near-full", "memory-leak"),
    *("tensor-idle", "host-bound", "straggler", "link-down", "link-unbalanced", "throttling", "core-conflict"),
    *("retirement", "efa-errors", "monitor-blind"),
)

_FAMILIES = (driver, host, hardware, memory, progress, executions, compare, waiting)

BY_ID: dict[str, Rule] = {rule.id: rule for family in _FAMILIES for rule in family.RULES}

RULES: tuple[Rule, ...] = tuple(BY_ID[name] for name in _ORDER)
