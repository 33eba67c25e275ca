"""Readings for Prometheus: families under AWS's names and our own, as a scrape's text and as OpenMetrics history."""

from neurontools.exporters.prometheus.family import Family, View
from neurontools.exporters.prometheus.history import History
from neurontools.exporters.prometheus.official import OFFICIAL
from neurontools.exporters.prometheus.own import LEFT_OUT, OWN, up_text, why_left_out
from neurontools.exporters.prometheus.text import render

FAMILIES: tuple[Family, ...] = (*OFFICIAL, *OWN)
"""The lean form: every family, each number once."""

__all__ = ["FAMILIES", "LEFT_OUT", "OFFICIAL", "OWN", "Family", "History", "View", "render", "up_text", "why_left_out"]
