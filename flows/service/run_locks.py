"""Which runs live on this machine: each holds a lock on a small file for as long as its process lives.

The kernel releases the lock whatever kills the process, and no restart of anything else touches it. So a file
that no process has locked says, at once and without a clock, that the run died here. A run that ends by itself,
completed or failed, deletes its file. Only runs of a deployment can be restarted; others, started by a command, need
no lock.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.runtime import deployment, flow_run

from tasks.config.run import DATA_FOLDER
from tasks.core.errors import GaveUp
from tasks.core.files import ensure_writable, is_locked
from tasks.core.gc_tuning import relax_gc
from tasks.core.log_lines import log_of_run, write_json_if_asked

MAX_STARTS = 4  # of one flow run: the first, and three after crashes


@contextmanager
def guarded_run() -> Iterator[None]:
    """Hold the lock of the present flow run, so that its death is seen at once, and let the log name the run.

    Raises GaveUp past MAX_STARTS.
    """
    write_json_if_asked()
    with log_of_run(flow_run.parameters.get("line"), str(flow_run.id)):
        if (flow_run.run_count or 0) > MAX_STARTS:
            raise GaveUp(f"crashed {MAX_STARTS} times, and is not restarted; look at the logs, then run it anew")
        if deployment.id is None:
            yield
            return
        relax_gc()
        with hold_run_lock(Path(DATA_FOLDER), str(flow_run.id)):
            yield


def _path(folder: Path, run: str) -> Path:
    return folder / "runs" / f"{run}.lock"


@contextmanager
def hold_run_lock(folder: Path, run: str) -> Iterator[None]:
    """Hold the lock of `run` below `folder`; a second process of the same run waits for the first.

    The file remains where the process is killed: `dead_runs` finds it.
    """
    path = _path(folder, run)
    ensure_writable(path.parent)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        except Exception:  # and no BaseException: that is somebody ending the process
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def dead_runs(folder: Path) -> list[str]:
    """The runs whose process was killed."""
    return [path.stem for path in sorted((folder / "runs").glob("*.lock")) if not is_locked(path)]


def remove_run_lock(folder: Path, run: str) -> None:
    """Delete a dead run's file."""
    _path(folder, run).unlink(missing_ok=True)


def is_run_locked(folder: Path, run: str) -> bool:
    """Whether a process of `run` lives."""
    return is_locked(_path(folder, run))
