"""Python's garbage collector, for processes that import TensorFlow."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

GC_THRESHOLD = (50_000, 10, 10)  # Python's own are 700, 10, 10


def relax_gc() -> None:
    """Have the collector look seldom, and not at all at the end.

    TensorFlow's import makes a million objects that all stay: walking them takes a second while they are
    made, and one more when the process ends.
    """
    gc.set_threshold(*GC_THRESHOLD)
    atexit.register(gc.freeze)


@contextmanager
def collect_on_exit() -> Iterator[None]:
    """Free at once what the work inside leaves in cycles: of a training that is the model with its record bank.

    What was there before is passed over from now on: to walk it takes half a second.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
