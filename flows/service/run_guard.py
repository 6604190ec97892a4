"""What every flow does first: hold its lock, and fail for good where it has crashed too often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.runtime import deployment, flow_run

from flows.service.run_locks import hold_run_lock
from tasks.config.run import DATA_FOLDER
from tasks.core.errors import GaveUp
from tasks.core.gc_tuning import relax_gc

MAX_STARTS = 4  # of one flow run: the first, and three after crashes


@contextmanager
def guarded_run() -> Iterator[None]:
    """Hold the run's lock while it lives, so that its death is seen at once; raises GaveUp past the limit.

    Only runs of a deployment can be restarted; others, started by a command, need no lock.
    """
    if (flow_run.run_count or 0) > MAX_STARTS:
        raise GaveUp(f"crashed {MAX_STARTS} times, and is not restarted; look at the logs, then run it anew")
    if deployment.id is None:
        yield
        return
    relax_gc()
    with hold_run_lock(Path(DATA_FOLDER), str(flow_run.id)):
        yield
