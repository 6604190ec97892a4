"""A source in parts that are read alone, and the tables of a cache that come of them, compared by hash."""
