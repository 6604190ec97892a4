"""What runs, and when: the retraining line, what the Prefect UI shows of it, and the `kensa` command."""
