"""From source tables to the record bank: readers, limits, checks, splitting and sampling."""
