"""neuron-top: a host's Neuron devices live on a terminal, or once as plain text."""
