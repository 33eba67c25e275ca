"""The proof of the diagnosis: every fault through every source, what is found of it, where, and how soon."""
