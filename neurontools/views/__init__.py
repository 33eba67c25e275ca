"""Readings for people: each package draws what a source read and reads nothing itself."""
