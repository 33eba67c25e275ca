"""Where readings come from: each module turns one kind of origin into a Source."""
