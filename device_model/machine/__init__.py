"""What the simulated hardware is: node, devices, cores, memory banks, links, power and the host around them."""
