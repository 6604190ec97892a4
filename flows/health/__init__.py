"""Whether what keeps Kensa running is well: checks of its parts and lines, and their metrics."""
