"""From source tables to the record bank: the Hub, readers, limits, checks, splitting and sampling."""
