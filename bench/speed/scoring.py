"""How `kensa score` grows with the number of records: time, records a second, peak memory.

    python -m bench.speed.scoring --records 10000 100000 1000000

The release is that of the demonstration part, the records are drawn anew: mixtures of gamma-distributed
maps of 36 × 39 values, in one Parquet file whose row groups are as large as a careless writer makes them.
Each size is judged by the real command in a process of its own. 10⁶ records are 5.6 GB on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

VALUES, BLOCK, ROW_GROUP = 36 * 39, 8192, 100_000
SCHEMA = pa.schema([("map", pa.list_(pa.float32(), VALUES)), ("label", pa.int64()), ("fmode", pa.int64())])
KENSA = Path(sys.executable).parent / "kensa"


def generate(folder: Path, records: int) -> None:
    """A source of that many records; a tenth of each mode, mode 0 good."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(records)
    centres = rng.gamma(1.0, 1.0, (64, VALUES)).astype(np.float32)
    batches = (_block(rng, centres, min(BLOCK, records - start)) for start in range(0, records, BLOCK))
    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    with pq.ParquetWriter(folder / "records.parquet", SCHEMA, use_dictionary=False, compression="none") as writer:
        held: list[pa.RecordBatch] = []
        for batch in reader:
            held.append(batch)
            if sum(map(len, held)) >= ROW_GROUP:
                writer.write_table(pa.Table.from_batches(held))
                held = []
        writer.write_table(pa.Table.from_batches(held, SCHEMA))


def _block(rng: np.random.Generator, centres: np.ndarray, records: int) -> pa.RecordBatch:
    level = rng.normal(1, 0.1, (records, 1)).astype(np.float32)
    noise = rng.normal(0, 0.05, (records, VALUES)).astype(np.float32)
    maps = centres[rng.integers(0, len(centres), records)] * level + noise
    mode = rng.integers(0, 10, records)
    columns = [
        pa.FixedSizeListArray.from_arrays(pa.array(maps.ravel()), VALUES),
        pa.array(mode.clip(0, 1)),
        pa.array(mode),
    ]
    return pa.record_batch(columns, SCHEMA)


def measured(folder: Path, records: int) -> dict[str, Any]:
    """One run of the command: seconds, records a second, peak resident memory in MB."""
    source = folder / f"source-{records}"
    generate(source, records)
    start = time.perf_counter()
    process = subprocess.Popen(
        [KENSA, "score", source, "--out", folder / "verdicts.parquet", "--json"], cwd=folder, stdout=subprocess.PIPE
    )
    told = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status or sum(told["counts"].values()) != records:
        raise SystemExit(f"kensa score: expected {records} verdicts and exit code 0, found {told['counts']}, {status}")
    for file in source.iterdir():
        file.unlink()
    return {"records": records, "seconds": seconds, "rate": records / seconds, "memory": usage.ru_maxrss / 1024}


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    words.add_argument("--artifacts", type=Path, help="folder with a release for 36 × 39 maps; made anew without it")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.artifacts:
            (folder / "artifacts").symlink_to(asked.artifacts.resolve())
        else:
            subprocess.run([KENSA, "retrain"], cwd=folder, check=True)
        print("| records | seconds | records a second | peak memory, MB |\n| ---: | ---: | ---: | ---: |")
        for records in asked.records:
            row = measured(folder, records)
            print(f"| {records:,} | {row['seconds']:.1f} | {row['rate']:,.0f} | {row['memory']:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
