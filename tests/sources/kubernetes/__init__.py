"""Tests of neurontools.sources.aws."""
