"""From photographs to maps: the RT method, windows, registration, the standard and the simulated part."""
