"""Faults: a file for each family, whose entries say what they do to the machine and what must be seen of it."""
