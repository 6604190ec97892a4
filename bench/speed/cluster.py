"""How much faster two workers of a Dask cluster are than one, each with one processor: cache, maps and score.

    python -m bench.speed.cluster --release ARTIFACTS --work /somewhere/with/5/GB --records 200000

Each worker is bound to a processor of its own. Runs with one and with two take turns, each after a small one that warms
the workers up. The command that waits for them needs some of the same processors: on a machine with as many processors
as workers the ratio stays below their number. `--release` is the folder of the releases whose champion scores maps of
36 × 39 values.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

from bench.speed.growth import generate
from tasks.cache import cache
from tasks.caching import pieces
from tasks.config.run import DataConfig
from tasks.core.inspection import ScoreRequest
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.imaging.demo import demo_photographs, good_photographs, record_names
from tasks.imaging.photos import require_opencv
from tasks.imaging.standard import MapOptions
from tasks.maps import make_maps
from tasks.score import score

ONE_PROCESSOR = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1")
Work = Callable[[str], None]  # with the address of a scheduler


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[str]:
    """The address of a cluster of so many workers of one processor each."""
    options = {"threads_per_worker": 1, "memory_limit": None, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=workers, host="127.0.0.1", env=ONE_PROCESSOR, **options) as running,
        Client(running) as client,
    ):
        for processor, worker in zip(sorted(os.sched_getaffinity(0)), client.nthreads(), strict=False):
            client.run(_bind, processor, workers=[worker])
        yield running.scheduler_address


def _bind(processor: int) -> None:
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {processor})


def works(work: Path, release: Path, records: int, photographs: int) -> dict[str, Work]:
    """What is measured, by its name."""
    size = (36, 39)
    source_folder = work / f"source-{records}"
    if not (source_folder / "records.parquet").exists():
        generate(source_folder, records, size)
    source = DownloadedSource(
        PinnedSource(str(source_folder), "folder", str(source_folder), "0" * 40), str(source_folder)
    )
    photos, standard = _photographs(work, photographs)

    def cached(address: str) -> None:
        shutil.rmtree(work / "data", ignore_errors=True)
        cache(source, DataConfig(*size), work / "data", dask=address)

    def mapped(address: str) -> None:
        shutil.rmtree(work / "maps", ignore_errors=True)
        make_maps(photos, standard, work / "maps", MapOptions(), dask=address)

    def scored(address: str) -> None:
        score(source, release, ScoreRequest(work / "verdicts.parquet", dask=address))

    return {"cache": cached, "maps": mapped, "score": scored}


def _photographs(work: Path, count: int) -> tuple[Path, Path]:
    import cv2

    require_opencv()
    photos, standard = work / f"photographs-{count}", work / f"standard-{count}"
    if not standard.exists():
        distinct = demo_photographs(record_names(40, 20))
        for folder, values in ((photos, distinct), (standard, good_photographs(60))):
            folder.mkdir(parents=True)
            for number in range(count if folder == photos else len(values)):
                pixels = np.round(values[number % len(values)] * 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{number:05}.png"), pixels)
    return photos, standard


def main() -> None:
    """Measure, and print a table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--release", type=Path, required=True)
    words.add_argument("--work", type=Path, required=True)
    words.add_argument("--records", type=int, default=400_000)
    words.add_argument("--piece", type=int, default=1 << 14, help="records of a piece of the cache")
    words.add_argument("--photographs", type=int, default=6_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", choices=("cache", "maps", "score"))
    asked = words.parse_args()
    pieces.PIECE_ROWS = asked.piece
    asked.work.mkdir(parents=True, exist_ok=True)
    small = works(asked.work / "small", asked.release, 4 * asked.piece, 100)
    print("| | one worker, s | two workers, s | ratio |\n| --- | ---: | ---: | ---: |")
    for name, run in works(asked.work, asked.release, asked.records, asked.photographs).items():
        if asked.only not in (None, name):
            continue
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for number in range(asked.rounds):
            for workers in (1, 2):
                with cluster(workers) as address:
                    small[name](address)
                    start = time.perf_counter()
                    run(address)
                    seconds[workers].append(time.perf_counter() - start)
                print(f"{name}, round {number + 1}: {workers} workers {seconds[workers][-1]:.2f} s", file=sys.stderr)
        one, two = (statistics.median(values) for values in seconds.values())
        print(f"| {name} | {one:.2f} | {two:.2f} | {one / two:.2f} |", flush=True)


if __name__ == "__main__":
    main()
