"""Tests of recordings: what goes in comes out, also from files that are cut off or damaged."""
