"""What the bench measures with: commands in processes of their own, in turns, and the machine's own peaks."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
OUT, BIN = ROOT / "bench" / "out", Path(sys.executable).parent
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@dataclass
class Way:
    """One way of doing a thing: its name, the command, and what was measured of it, run by run."""

    name: str
    words: list[Any]
    env: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None
    told: list[dict[str, Any]] = field(default_factory=list)

    def run(self, folder: Path) -> None:
        """Once more; a command that fails ends the bench."""
        if self.before:
            self.before()
        env, start = {**os.environ, **QUIET, **self.env}, time.perf_counter()
        done = subprocess.run(
            [str(word) for word in self.words], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"bench: {self.name} ended with {done.returncode}\n{done.stderr[-2000:]}")
        last = done.stdout.strip().splitlines()[-1:]
        said = json.loads(last[0]) if last and last[0].startswith("{") else {}
        self.told.append({**said, "wall": wall})
        print(f"  {self.name}: {wall:.1f} s in all", file=sys.stderr, flush=True)

    def median(self, name: str) -> float:
        """The median of a figure over all runs; lists are the figures of one run."""
        values = [value for one in self.told for value in (one[name] if isinstance(one[name], list) else [one[name]])]
        return statistics.median(values)


def in_turns(ways: list[Way], rounds: int, folder: Path) -> None:
    """Every way once, and again, so that what else the machine does falls on all alike."""
    for _ in range(rounds):
        for way in ways:
            way.run(folder)


def peaks() -> dict[str, float]:
    """The largest of five: GFLOP/s of a float32 matrix product, and GB/s of a copy between warm pages."""
    one = np.random.default_rng(0).normal(size=(2048, 2048)).astype(np.float32)
    source, to = np.ones(1 << 27, np.float32), np.zeros(1 << 27, np.float32)
    return {
        "product": 2 * 2048**3 / min(timed(lambda: one @ one, 5)) / 1e9,
        "copy": source.nbytes / min(timed(lambda: np.copyto(to, source), 5)) / 1e9,
    }


def timed(work: Callable[[], object], times: int) -> list[float]:
    """The seconds of each of so many times, after one that is not counted: it compiles, and warms the pages."""
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def machine() -> str:
    """The processor, its cores, and the memory."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in told if line.startswith("model name")), "unknown")
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {model}, {size:.0f} GB"
