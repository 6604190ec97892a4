"""Many retrainings of the small line, one after the other, with restarts: memory, disk and time stay flat."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from bench.faults.ground import apart, hidden, left_over, small, walk, whole, written
from bench.faults.row import RECOVERED, Row
from tasks.prune import prune

FULL = 200
KEEP = 3
LIFE = 25  # retrainings of one process, before it is started anew


def soak(folder: Path, seed: int, share: float) -> list[Row]:
    """The one row of this part."""
    return [
        Row("soak", "retrainings one after the other, each of new data, pruned", seed).timed(
            lambda row: _soaked(folder, row, max(4, round(FULL * share)))
        )
    ]


def _soaked(folder: Path, row: Row, count: int) -> None:
    told: list[tuple[int, int, float]] = []
    for start in range(0, count, LIFE):
        numbers = range(start, min(start + LIFE, count))
        ended = apart(lambda numbers=numbers: [_one(folder, row.seed + number) for number in numbers])
        if ended.error:
            row.count(f"{ended.error}: {ended.text}")
            return
        told += [tuple(one) for one in ended.value]
        for _ in numbers:
            row.count(RECOVERED)
    row.notes = _trend(told)


def _one(folder: Path, seed: int) -> tuple[int, int, float]:
    """One retraining; the process's memory in KiB, the folder's bytes, and seconds."""
    start = time.monotonic()
    written(hidden(seed=seed), folder / "source")
    config = replace(small(folder, epochs=3), seed=seed % 2**31)
    walk(config)
    prune(folder / "data", folder / "artifacts", KEEP, days=0)
    assert not left_over(folder), left_over(folder)
    assert not (wrong := whole(folder / "artifacts")), wrong
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return _memory(), size, time.monotonic() - start


def _memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _trend(told: list[tuple[int, int, float]]) -> str:
    """First tenth against last tenth, of memory within the lives of processes, of disk and of time."""
    tenth = max(1, len(told) // 10)
    first, last = told[:tenth], told[-tenth:]
    lives = [told[start : start + LIFE] for start in range(0, len(told), LIFE)]
    grown = [(life[-1][0] - life[1][0]) / 1024 / (len(life) - 2) for life in lives if len(life) > 2]
    return (
        f"disk {_mean(first, 1) / 1e6:.1f} to {_mean(last, 1) / 1e6:.1f} MB, "
        f"time {_mean(first, 2):.1f} to {_mean(last, 2):.1f} s, "
        f"memory of one process {max(grown, default=0):+.1f} MB a retraining at most"
    )


def _mean(told: list[tuple[int, int, float]], place: int) -> float:
    return sum(one[place] for one in told) / len(told)
