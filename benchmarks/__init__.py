"""Performance figures, printed one command each; they inform and never decide whether a test passes."""
