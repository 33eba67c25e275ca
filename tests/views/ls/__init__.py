"""Tests of neurontools.views.ls."""
