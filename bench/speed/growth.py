"""How every step grows with the number of records: seconds, and the memory that the process itself holds.

    python -m bench.speed.growth --records 10000 100000 1000000 --work /somewhere/with/20/GB --picture docs/large.png

Records are generated (36 × 39 values or another `--size`, ten modes, three triplets each) and written as one Parquet
file. Each step runs in a process of its own, on what the step before has left in the work folder, so that a bench that
was ended goes on; its memory is the largest anonymous resident size seen, without pages of mapped files. The
presets `best` (a whole training) and `notebook` (one epoch over all triplets) are trained both. `score` judges the
source itself by the release of `best`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.model import TrainingConfig
from tasks.config.run import DataConfig, RunConfig, TripletsConfig
from tasks.core.authorship import Authorship
from tasks.core.facts import CacheFacts
from tasks.core.inspection import ScoreRequest
from tasks.core.results import CachedSource, DownloadedSource, PinnedSource, Stage

Size = tuple[int, int]
MODES, BLOCK, MOST_RECORDS = 10, 8192, 10**8
STEPS = ("cache", "triplets", "train best", "train notebook", "evaluate", "score")


def generate(folder: Path, records: int, size: Size) -> None:
    """A source of so many records; a tenth of each mode, mode 0 good. Modes overlap, so that there is work to do."""
    folder.mkdir(parents=True, exist_ok=True)
    values = size[0] * size[1]
    schema = pa.schema([("map", pa.list_(pa.float32(), values)), ("label", pa.int64()), ("fmode", pa.int64())])
    rng = np.random.default_rng(records)
    centres = np.random.default_rng(1).gamma(1.0, 1.0, (MODES, values)).astype(np.float32)
    draft = folder / "records.writing"
    with pq.ParquetWriter(draft, schema, use_dictionary=False, compression="none") as writer:
        for start in range(0, records, BLOCK):
            mode = rng.integers(0, MODES, min(BLOCK, records - start))
            noise = rng.standard_exponential((len(mode), values), np.float32)
            maps = centres[mode] * np.float32(0.3) + noise
            lists = pa.FixedSizeListArray.from_arrays(pa.array(maps.ravel()), values)
            writer.write_batch(pa.record_batch([lists, pa.array(mode.clip(0, 1)), pa.array(mode)], schema))
    draft.rename(folder / "records.parquet")


def configured(folder: Path, preset: str, size: Size) -> RunConfig:
    """The run of a preset; of `notebook` one epoch, as its twenty would only repeat the figure."""
    fit = TrainingConfig(epochs=1) if preset == "notebook" else TrainingConfig()
    data = DataConfig(*size, most_records=MOST_RECORDS)
    folders = {"data_folder": str(folder / "data"), "artifacts_folder": str(folder / "artifacts")}
    return RunConfig(preset=preset, data=data, triplets=TripletsConfig(per_record=3), fit=fit, **folders)


def step(name: str, folder: Path, size: Size) -> None:
    """Run one step on what lies in the folder; prints its seconds, and those of all processors that it used."""
    config = configured(folder, "notebook" if name.endswith("notebook") else "best", size)
    run = {"cache": _cache, "triplets": _triplets, "evaluate": _evaluate, "score": _score}.get(name, _train)
    clocks = time.perf_counter, time.process_time
    start = [clock() for clock in clocks]
    run(folder, config)
    print(*(clock() - since for clock, since in zip(clocks, start, strict=True)))


def _source(folder: Path) -> DownloadedSource:
    source = str(folder / "source")
    return DownloadedSource(PinnedSource(source, "folder", source, "0" * 40), source)


def _cache(folder: Path, config: RunConfig) -> None:
    from tasks.cache import cache

    cache(_source(folder), config.data, config.data_path)


def _triplets(folder: Path, config: RunConfig) -> None:
    from tasks.triplets import triplets

    stage = _stage(folder / "data" / "cache", "records")
    triplets(CachedSource(_source(folder).resolved, stage, CacheFacts.from_json(stage.facts)), None, config)


def _train(folder: Path, config: RunConfig) -> None:
    from tasks.train import train

    train(_stage(folder / "data" / "stages", "triplets"), config)


def _facts(folder: Path) -> dict[str, Any]:
    source = {"source": str(folder / "source"), "kind": "folder", "revision": "0" * 40, "records": 0, "modes": MODES}
    return {"train": {**source, "source_kind": "map", "triplets": 0}, "test": None, "changes": None}


def _evaluate(folder: Path, config: RunConfig) -> None:
    from tasks.evaluate import evaluate

    bank, model = (_stage(folder / "data" / "stages", kind) for kind in ("triplets", "model"))
    evaluate(bank, model, config, None, _facts(folder), ())


def _score(folder: Path, config: RunConfig) -> None:
    """Making the release, which copies a few files, is part of the time; so is overruling a gate that refuses it."""
    from tasks.overrule import promote_draft
    from tasks.publish import publish
    from tasks.score import score

    stages = {kind: _stage(folder / "data" / "stages", kind) for kind in ("triplets", "model", "report")}
    stages["cache"] = _stage(folder / "data" / "cache", "records")
    result = publish(stages, config, None, "0" * 64, _facts(folder))
    if result.release is None:
        promote_draft(config.artifacts_path, Path(result.path).name, Authorship.of(reason="its speed is measured"))
    score(_source(folder), config.artifacts_path, ScoreRequest(folder / "verdicts.parquet"))


def _stage(folder: Path, kind: str) -> Stage:
    """The oldest stage of that kind, as an earlier step made it."""
    path = min(folder.glob(f"{kind}-*"), key=lambda one: one.stat().st_mtime)
    facts = json.loads((path / "manifest.json").read_text())
    return Stage(str(path), facts["digest"], facts, reused=True)


def measured(name: str, folder: Path, size: Size) -> dict[str, Any]:
    """A step in a process of its own: seconds of its work, and the largest anonymous memory in MB."""
    words = [sys.executable, "-m", "bench.speed.growth", "--step", name, "--work", str(folder), "--size", _spell(size)]
    largest = 0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            resident = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("RssAnon")]
            largest = max([largest, *(int(line.split()[1]) for line in resident)])
            time.sleep(0.05)
        out = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"bench.speed.growth: the step {name} in {folder} ended with {process.returncode}")
    seconds, processor = map(float, out.split()[-2:])
    return {"step": name, "seconds": seconds, "processor": processor, "megabytes": largest / 1024}


def walk(work: Path, records: int, size: Size, steps: list[str]) -> list[dict[str, Any]]:
    """Every step of one number of records; what was measured before is read again."""
    folder, rows = work / f"{records}-{_spell(size)}", []
    if not (folder / "source" / "records.parquet").exists():
        print(f"{records:,} records: writing them", file=sys.stderr, flush=True)
        generate(folder / "source", records, size)
    for name in steps:
        kept = folder / f"{name.replace(' ', '-')}.json"
        if not kept.exists():
            kept.write_text(json.dumps({"records": records, **measured(name, folder, size)}))
        rows.append(json.loads(kept.read_text()))
        print(f"{records:,} records: {name} {rows[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return rows


def _spell(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _size(text: str) -> Size:
    """`36x39` as (36, 39)."""
    rows, cols = text.split("x")
    return int(rows), int(cols)


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each step, a pair of columns for each size."""
    sizes = sorted({row["records"] for row in rows})
    heads = [f"{size:,} records: s | processor s | MB" for size in sizes]
    lines = ["| step | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * 3 * len(sizes)]
    for name in dict.fromkeys(row["step"] for row in rows):
        own = {row["records"]: row for row in rows if row["step"] == name}
        figures = ((own[size][name] for name in ("seconds", "processor", "megabytes")) for size in sizes)
        cells = [f"{seconds:.1f} | {busy:.1f} | {megabytes:,.0f}" for seconds, busy, megabytes in figures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path, size: Size) -> None:
    """Seconds and memory of every step over the number of records, side by side, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for name in dict.fromkeys(row["step"] for row in rows):
        own = sorted((row["records"], row["seconds"], row["megabytes"]) for row in rows if row["step"] == name)
        records, seconds, megabytes = (np.array(column) for column in zip(*own, strict=True))
        left.loglog(records, seconds, "o-", label=name)
        right.loglog(records, megabytes, "o-", label=name)
    ends = np.array([records.min(), records.max()])
    left.loglog(ends, ends / ends[0], ":", color="grey", label="linear in records")
    maps = right.loglog(ends, ends * size[0] * size[1] * 4 / 2**20, ":", color="grey", label="the maps themselves")
    right.axhline(2048, color="grey", lw=0.8)
    right.text(ends[0], 2150, "2 GB", color="grey", fontsize=8)
    for axes, title in ((left, "seconds"), (right, "memory of the process, MB")):
        axes.set(xlabel="records", title=title)
        axes.grid(alpha=0.25, which="both")
    left.legend(fontsize=8)
    right.legend(handles=maps, fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure every size and print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    words.add_argument("--work", type=Path, required=True, help="folder for the sources, stages and results")
    words.add_argument("--size", type=_size, default=(36, 39), help="rows and columns of a map, such as 12x13")
    words.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS, help="the steps to measure")
    words.add_argument("--picture", type=Path)
    words.add_argument("--step", choices=STEPS, help="run one step in the work folder, and nothing else")
    asked = words.parse_args()
    if asked.step:
        step(asked.step, asked.work, asked.size)
        return
    rows = [row for records in asked.records for row in walk(asked.work, records, asked.size, asked.steps)]
    print(table(rows))
    if asked.picture:
        draw(rows, asked.picture, asked.size)


if __name__ == "__main__":
    main()
