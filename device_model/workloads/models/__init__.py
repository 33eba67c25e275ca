"""The architectures that workloads run: shapes by name or file, and the data types they are stored in."""
