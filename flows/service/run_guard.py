"""What every flow does first: say that it lives, and give up where it has died too often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.runtime import deployment, flow_run

from flows.service.run_locks import hold_run_lock as locked
from tasks.config.run import DATA_FOLDER
from tasks.core.errors import GaveUp
from tasks.core.gc_tuning import relax_gc

MAX_STARTS = 4  # of one flow run: the first, and three after crashes


@contextmanager
def guarded_run() -> Iterator[None]:
    """Hold the run's lock while it lives, so that a death is seen at once; raises GaveUp past the limit.

    Only runs of a deployment can be taken up; others, typed by a person, need no lock.
    """
    if (flow_run.run_count or 0) > MAX_STARTS:
        raise GaveUp(f"crashed {MAX_STARTS} times: not taken up again; look at the logs, then run it anew")
    if deployment.id is None:
        yield
        return
    relax_gc()
    with locked(Path(DATA_FOLDER), str(flow_run.id)):
        yield
