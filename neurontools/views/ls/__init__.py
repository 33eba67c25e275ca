"""What neuron-ls prints: pure functions from an inventory to the text of AWS's tool, byte for byte."""
