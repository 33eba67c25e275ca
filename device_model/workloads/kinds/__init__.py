"""The kinds of workload behind one protocol: a file each, with what people write for it and what it does."""
