"""What makes the simulated hardware work: demand, batching, and what each step costs."""
