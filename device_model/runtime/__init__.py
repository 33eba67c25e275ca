"""What the Neuron runtime does on the simulated hardware: processes, model loading, execution, and how they fail."""
