"""What a command does so that the person before it waits less."""

from __future__ import annotations

import contextlib
import importlib
import threading


def import_training() -> None:
    """Import Keras and its backend on another thread, while this one waits for Prefect's temporary server."""

    def work() -> None:
        with contextlib.suppress(Exception):  # whoever needs it imports it again, and is told
            importlib.import_module("tasks.train")

    threading.Thread(target=work, name="import-training").start()
