"""Tests of the OTLP exporter."""
