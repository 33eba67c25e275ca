"""Tests of neurontools.sources."""
