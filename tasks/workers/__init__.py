"""Where work is done beside this process: in a child process, or on the workers of a Dask cluster."""
