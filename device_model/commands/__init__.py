"""The command line `neuron-model`: each verb starts, asks or stops a daemon, and says the outcome in one line."""
