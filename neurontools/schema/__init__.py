"""The contract between sources and everything that shows a reading."""
