"""How a source becomes the tables of a cache: in pieces that are made alone, and compared with each other by hash."""
