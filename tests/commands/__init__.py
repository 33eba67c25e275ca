"""Tests of neurontools.commands."""
