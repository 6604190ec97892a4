"""Python's garbage collector, for processes that import TensorFlow."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

GC_THRESHOLD = (50_000, 10, 10)  # Python's own are 700, 10, 10


def relax_gc() -> None:
    """Let the garbage collector run rarely, and not at all when the process ends.

    TensorFlow's import creates a million objects that all stay: to traverse them takes a second during the import,
    and another one at the end.
    """
    gc.set_threshold(*GC_THRESHOLD)
    atexit.register(gc.freeze)


@contextmanager
def collect_on_exit() -> Iterator[None]:
    """Free at the end what the work inside left in reference cycles: after a training, the model and its record bank.

    Objects that exist already are exempt from now on: to traverse them takes half a second.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
