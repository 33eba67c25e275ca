"""The tables of a scenario that have a time: which faults happen when, and what a run of it must show."""
