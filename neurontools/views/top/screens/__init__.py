"""The screens of neuron-top, each a set of panels and the keys that move through them."""
