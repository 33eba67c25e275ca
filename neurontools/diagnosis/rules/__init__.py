"""All rules, in the order of their use."""

from neurontools.diagnosis.rule import Rule
from neurontools.diagnosis.rules import hardware, host
from neurontools.diagnosis.rules.host import BLIND

__all__ = ["BLIND", "BY_ID", "RULES"]

_ORDER = (
    *("driver-absent", "device-missing", "driver-mismatch", "runtime-mismatch", "core-held"),
    *("ecc-uncorrected", "ecc-repairable", "ecc-corrected-rate", "hardware-error", "device-health"),
    *("reset-failed", "device-reset", "counters-not-live", "link-down", "retirement", "efa-errors", "monitor-blind"),
)

BY_ID: dict[str, Rule] = {rule.id: rule for family in (host, hardware) for rule in family.RULES}

RULES: tuple[Rule, ...] = tuple(BY_ID[name] for name in _ORDER)
