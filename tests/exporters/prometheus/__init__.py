"""Tests of the families for Prometheus."""
