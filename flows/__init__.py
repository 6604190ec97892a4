"""What runs, and when: one flow a module; service/ keeps it running, ui/ makes what the Prefect UI shows of it."""
