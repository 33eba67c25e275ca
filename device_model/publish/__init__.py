"""How the simulated host is reached: the socket and what can be asked of it."""
