"""People look at parts: which ones, what they decided, and how their decisions reach the dataset."""
