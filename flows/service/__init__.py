"""What keeps Kensa running: server, worker, receiver, ledger, product lines, schedules and recovery."""
