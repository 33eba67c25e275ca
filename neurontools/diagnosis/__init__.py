"""What is wrong: rules over a window of readings of one host, and the findings that they lead to."""

from neurontools.diagnosis.live import Doctor, diagnose
from neurontools.diagnosis.rule import Rule
from neurontools.diagnosis.rules import BY_ID, RULES

__all__ = ["BY_ID", "RULES", "Doctor", "Rule", "diagnose"]
