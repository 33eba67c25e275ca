"""Readings for machines: each exporter is a pure rendering, and a way to send it."""
