"""The `kensa` command: one module for each subcommand."""
