"""Tests of neurontools.views."""
