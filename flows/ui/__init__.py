"""What the Prefect UI shows of a run, and notifications: the only maker of Prefect artifacts."""
