"""Tests of neurontools.report_format."""
