"""Watch and debug AWS Neuron accelerators: the tools."""
