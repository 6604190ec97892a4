"""SIGKILL of a Dask worker while it makes a cache, maps, verdicts or a drift page: the bytes stay the same."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from support.inspected_parts import map_column
from support.photographs import write_photographs

from bench.faults.harness import hidden, run_in_child, small, walk, written
from bench.faults.result_row import RECOVERED, Row
from tasks.cache import cache
from tasks.caching import pieces
from tasks.core.inspection import ScoreRequest
from tasks.core.results import DownloadedSource
from tasks.download import resolve
from tasks.drift import drift
from tasks.imaging.demo import demo_photographs, good_photographs, record_names
from tasks.imaging.standard import MapOptions
from tasks.maps import make_maps
from tasks.score import score
from tasks.scoring import judging
from tasks.workers.cluster import connected

GROUP_ROWS = 40  # of a row group, and of a piece
LONGEST_WAIT = 0.3  # seconds from the first busy worker to the kill
Work = Callable[[str | None], str]  # with workers or without: a digest of all that was written


def workers(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    written(hidden(), folder / "line" / "source")
    first = run_in_child(lambda: walk(small(folder / "line")).status)
    assert first.value == "released", first
    parts = _parts(folder / "new")
    works = {
        "cache": _cached(parts, folder),
        "maps": _mapped(folder),
        "score": _scored(parts, folder),
        "drift": _compared(parts, folder),
    }
    return [
        Row("workers", f"SIGKILL of a worker during {name}", seed).timed(
            lambda row, work=work: _tries(work, row, max(2, round(20 * share)), random.Random(seed))
        )
        for name, work in works.items()
    ]


def _tries(work: Work, row: Row, tries: int, rng: random.Random) -> None:
    expected = work(None)
    for _ in range(tries):
        with connected("local:2", "--dask") as client, _killer(client, rng) as killed:
            digest = work(client.scheduler.address)
        if not killed:
            row.count("no worker was killed")
        else:
            row.count(RECOVERED if digest == expected else f"{digest} instead of {expected}")


@contextlib.contextmanager
def _killer(client: object, rng: random.Random) -> Iterator[list[int]]:
    """Kills a busy worker a moment after the first is busy; yields the processes that were killed."""
    killed: list[int] = []
    processes, over = client.run(os.getpid), threading.Event()

    def kill() -> None:
        while not over.is_set():
            busy = [address for address, keys in client.processing().items() if keys]
            if busy:
                time.sleep(rng.uniform(0, LONGEST_WAIT))
                if not over.is_set():
                    killed.append(processes[rng.choice(busy)])
                    os.kill(killed[-1], signal.SIGKILL)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def _parts(folder: Path) -> DownloadedSource:
    folder.mkdir()
    pq.write_table(map_column(hidden(400, seed=9)), folder / "table.parquet", row_group_size=GROUP_ROWS)
    return DownloadedSource(resolve(str(folder), None, folder), str(folder))


def _digest(folder: Path) -> str:
    """Of every file below a folder but logs and locks."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock"))
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def _cached(parts: DownloadedSource, folder: Path) -> Work:
    config = small(folder / "line")

    def work(dask: str | None) -> str:
        pieces.PIECE_ROWS = GROUP_ROWS
        shutil.rmtree(folder / "data", ignore_errors=True)
        return _digest(Path(cache(parts, config.data, folder / "data", dask=dask).stage.path))

    return work


def _mapped(folder: Path) -> Work:
    names = record_names(8, 2)
    photos = write_photographs(folder / "photos", np.concatenate([demo_photographs(names)] * 12))
    standard = write_photographs(folder / "standard", good_photographs(8))

    def work(dask: str | None) -> str:
        shutil.rmtree(folder / "maps", ignore_errors=True)
        make_maps(photos, standard, folder / "maps", MapOptions(rows=12, cols=13), dask=dask)
        return _digest(folder / "maps")

    return work


def _scored(parts: DownloadedSource, folder: Path) -> Work:
    def work(dask: str | None) -> str:
        judging.PIECE_ROWS = GROUP_ROWS
        request = ScoreRequest(folder / "v.parquet", dask=dask)
        result = score(parts, small(folder / "line").artifacts_path, request)
        table = pq.read_table(folder / "v.parquet").drop_columns("time")
        return hashlib.sha256(repr((result, table.to_pylist())).encode()).hexdigest()

    return work


def _compared(parts: DownloadedSource, folder: Path) -> Work:
    artifacts = small(folder / "line").artifacts_path

    def work(dask: str | None) -> str:
        judging.PIECE_ROWS = GROUP_ROWS
        shutil.rmtree(artifacts / "drift", ignore_errors=True)  # what it remembers of the source
        result = drift(parts, artifacts, folder / "d.html", dask=dask)
        return hashlib.sha256(repr(replace(result, page="")).encode() + (folder / "d.html").read_bytes()).hexdigest()

    return work
