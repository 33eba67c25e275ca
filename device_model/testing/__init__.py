"""Simulated hosts for other projects' tests: the pytest fixture `neuron_node`, and what it gives."""
