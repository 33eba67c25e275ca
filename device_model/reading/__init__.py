"""What can be read of the simulated host: the one state, looked at through the tools' contract."""
