"""Facts of the Neuron hardware, driver and runtime, as tables of the standard library's types."""
