"""What a command does so that the person before it waits less."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import threading

OFTEN = (50_000, 20, 100)  # Python's own are 700, 10, 10


def collect_seldom() -> None:
    """Have the garbage collector look seldom, and not at all at the end.

    TensorFlow's import makes a million objects that all stay: walking them takes a second while they are
    made, and one more when the process ends.
    """
    gc.set_threshold(*OFTEN)
    atexit.register(gc.freeze)


def import_training() -> None:
    """Import Keras and its backend on another thread, while this one waits for Prefect's temporary server."""

    def work() -> None:
        with contextlib.suppress(Exception):  # whoever needs it imports it again, and is told
            importlib.import_module("tasks.train")

    threading.Thread(target=work, name="import-training").start()
