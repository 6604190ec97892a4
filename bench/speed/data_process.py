"""From a source to arrays, and the whole line without Prefect, each in a process of its own; prints JSON.

    python -m bench.speed.data_process cold SOURCE DATA     resolve, download, cache, triplets, arrays
    python -m bench.speed.data_process warm SOURCE DATA     the same, where everything is there already
    python -m bench.speed.data_process line SOURCE DATA     all steps up to the release, preset `notebook`

`seconds` count from the libraries' import on; `megabytes` is by how much the process grew at its largest.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from bench.speed.timing import timed
from tasks.cache import cache
from tasks.config.run import RunConfig
from tasks.core.gc_tuning import relax_gc
from tasks.data.bank import load_bank
from tasks.download import download, resolve
from tasks.triplets import triplets


def largest() -> int:
    """The most memory that this process ever had, in KiB."""
    return int(
        next(
            line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if "VmHWM" in line
        ).split()[1]
    )


def main() -> None:
    """Walk one way."""
    way, source, data = sys.argv[1:]
    relax_gc()  # as the command does
    import datasets  # noqa: F401  # the libraries' import is not the path's
    import huggingface_hub  # noqa: F401

    config = RunConfig(preset="notebook", train=source, data_folder=data, artifacts_folder=f"{data}-artifacts")
    before, start = largest(), time.perf_counter()
    cached = cache(download(resolve(source, None, config.data_path)), config.data, config.data_path)
    made = triplets(cached, None, config)
    bank = load_bank(made.path)
    maps = np.array(bank.maps)
    told = {
        "seconds": time.perf_counter() - start,
        "megabytes": (largest() - before) / 1024,
        "arrays": maps.nbytes / 1e6,
    }
    if way == "warm":
        told |= {"verified": median(timed(lambda: triplets(cached, None, config), 9)), **_read(made.path)}
    if way == "line":
        start = time.perf_counter()
        _rest(cached, made, config)
        told["seconds"] += time.perf_counter() - start
    print(json.dumps(told))


def _read(folder: str) -> dict[str, float]:
    """Seconds from the cache to arrays once it is verified, and of a plain copy of the same file of maps."""
    file = Path(folder) / "maps.npy"
    return {
        "read": median(timed(lambda: np.array(load_bank(folder).maps), 9)),
        "copy": median(timed(lambda: np.array(np.load(file, mmap_mode="r")), 9)),
    }


def _rest(cached, made, config) -> None:  # noqa: ANN001
    from tasks.evaluate import evaluate
    from tasks.publish import publish
    from tasks.train import train

    model = train(made, config)
    named = {"source": "generated", "kind": "folder", "revision": cached.resolved.revision}
    known = {"records": cached.stage.facts["records"], "modes": len(cached.stage.facts["modes"])}
    facts = {"train": {**named, **known, "source_kind": "wide", "triplets": 0}, "test": None, "changes": None}
    report = evaluate(made, model, config, None, facts, cached.findings)
    stages = {"cache": cached.stage, "triplets": made, "model": model, "report": report}
    publish(stages, config, None, "f" * 64, facts)


if __name__ == "__main__":
    main()
