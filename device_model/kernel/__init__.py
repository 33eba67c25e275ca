"""Time, order, chance and counting: what a simulation is made of, knowing nothing of Neuron."""
