"""Which runs live on this machine: each holds a lock on a small file for as long as its process lives.

The kernel lets go of the lock whatever kills the process, and no restart of anything else touches it: so a
file that nobody holds says, at once and without a clock, that the run died here. A run that ends by itself,
well or not, takes its file away.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.files import ensure_writable


def _place(folder: Path) -> Path:
    return folder / "runs"


@contextmanager
def hold_run_lock(folder: Path, run: str) -> Iterator[None]:
    """Hold the lock of `run` below `folder`; a second process of the same run waits for the first.

    The file stays where the process is ended from outside: that is a death, to be found by `dead`.
    """
    path = ensure_writable(_place(folder)) / f"{run}.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        except Exception:  # and no BaseException: that is somebody ending the process
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def dead_runs(folder: Path) -> list[str]:
    """The runs whose process ended without a word."""
    return [path.stem for path in _files(folder) if not _held(path)]


def remove_run_lock(folder: Path, run: str) -> None:
    """Take a dead run's file away."""
    (_place(folder) / f"{run}.lock").unlink(missing_ok=True)


def is_run_locked(folder: Path, run: str) -> bool:
    """Whether a process of `run` lives."""
    return _held(_place(folder) / f"{run}.lock")


def _files(folder: Path) -> list[Path]:
    return sorted(_place(folder).glob("*.lock"))


def _held(path: Path) -> bool:
    """Shared, so that two who look at once do not take each other for the run."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
