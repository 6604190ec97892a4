"""What other systems are told of a finished run: one record, and a hook for each system."""
