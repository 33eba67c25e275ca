"""What a step of work costs a NeuronCore: time, engine activity, FLOPs, bytes; pure functions, no state."""
