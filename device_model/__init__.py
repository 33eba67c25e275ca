"""A simulated AWS Neuron host: everything that the tools read, without the hardware."""
