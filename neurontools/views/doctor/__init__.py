"""What neuron-doctor prints: pure functions from a diagnosis to text, JSON, and the lines of other checkers."""
