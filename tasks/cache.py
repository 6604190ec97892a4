"""Reads a source once, checks it, and writes Kensa's one Parquet form.

`records.parquet` holds each distinct record once: `record` (its hash), `map` (fixed-size list of
float32, row-major), `label`, `mode`, `group`. A wide triplet set is taken apart: its distinct anchors
go to `anchors.parquet`, its rows to `triplets.parquet` as row numbers into the two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.fingerprints import cache_digest
from tasks.config.run import DataConfig
from tasks.core.errors import UnfitData
from tasks.core.files import ensure_writable
from tasks.core.progress import RecordCounter
from tasks.core.results import CachedSource, DownloadedSource, Finding
from tasks.core.stages import get_or_make_stage
from tasks.data.checks import DataChecks
from tasks.data.decode import DecodedBlock, decode
from tasks.data.readers import TableSource, open_source
from tasks.data.schema import TableLayout, detect_layout


def cache(downloaded: DownloadedSource, data: DataConfig, data_folder: Path, held_out: bool = False) -> CachedSource:
    """The source in Kensa's form below `data_folder`, made unless it is there already and intact.

    `held_out` prefers the split `test` over `train`.

    Raises UnfitData with all findings where a required check fails; then nothing is written.
    """
    root = ensure_writable(data_folder / "cache")
    resolved = downloaded.resolved
    digest = cache_digest(resolved.revision, data, held_out)

    def make(draft: Path) -> dict[str, Any]:
        with open_source(downloaded, data, held_out, root) as table:
            return _write(table, resolved.source, data, draft)

    made = get_or_make_stage(root, "records", digest, make)
    return CachedSource(resolved, made, tuple(Finding(**finding) for finding in made.facts["findings"]))


def _write(table: TableSource, source: str, data: DataConfig, draft: Path) -> dict[str, Any]:
    shape, tally = detect_layout(table.schema, data), DataChecks(data)
    writers = _Writers(draft, data.rows * data.cols) if shape.fit else None
    rows, told = 0, RecordCounter("read")
    for batch in table.batches:
        parts = list(decode(batch, shape, data))
        hashes = [tally.add(part, rows) for part in parts]
        rows += batch.num_rows
        told.update(rows)
        if writers:
            writers.add(parts, hashes)
    findings = (*shape.findings, *tally.findings(shape))
    if writers:
        writers.close(tally.contradictory)
    if any(finding.required and not finding.success for finding in findings):
        raise UnfitData(source, findings)
    return _facts(shape, tally, findings, rows)


def _facts(shape: TableLayout, tally: DataChecks, findings: tuple[Finding, ...], rows: int) -> dict[str, Any]:
    labels = Counter(label for label, _ in tally.seen.values())
    return {
        "source_kind": shape.kind,
        "rows": rows,
        "records": len(tally.seen),
        "modes": dict(sorted(tally.modes().items())),
        "labels": dict(sorted(labels.items())),
        "groups": [block.group for block in shape.blocks if block.group],
        "findings": [asdict(finding) for finding in findings],
    }


@dataclass
class _DistinctTable:
    """A Parquet file to which each distinct row is appended once, known by its key."""

    path: Path
    size: int
    rows: dict[tuple[Any, ...], int] = field(default_factory=dict)
    writer: pq.ParquetWriter | None = None

    def add(self, part: DecodedBlock, keys: list[tuple[Any, ...]], hashes: list[bytes]) -> np.ndarray:
        """Append what is new; returns the row number of every key, (rows,) int64."""
        before = len(self.rows)
        numbers = np.array([self.rows.setdefault(key, len(self.rows)) for key in keys], np.int64)
        new, first = np.unique(numbers, return_index=True)
        chosen = first[new >= before]
        if len(chosen):
            self._append(_record_batch(part, chosen, hashes, self.size))
        return numbers

    def _append(self, batch: pa.RecordBatch) -> None:
        if self.writer is None:
            # Values of measured maps do not repeat: a dictionary or compression only costs time.
            self.writer = pq.ParquetWriter(self.path, batch.schema, compression="none", use_dictionary=False)
        self.writer.write_batch(batch)


def _record_batch(part: DecodedBlock, chosen: np.ndarray, hashes: list[bytes], size: int) -> pa.RecordBatch:
    flat = pa.array(part.maps[chosen].ravel())
    texts = {
        name: pa.array([values[i] for i in chosen], pa.string())
        for name, values in (("label", part.label), ("mode", part.mode), ("group", part.group))
    }
    keys = pa.array([hashes[i] for i in chosen], pa.binary(16))
    return pa.RecordBatch.from_pydict({"record": keys, "map": pa.FixedSizeListArray.from_arrays(flat, size), **texts})


class _Writers:
    """The files of one cache folder while they are written."""

    def __init__(self, draft: Path, size: int) -> None:
        self.draft = draft
        self.tables = {
            "record": _DistinctTable(draft / "records.parquet", size),
            "anchor": _DistinctTable(draft / "anchors.parquet", size),
        }
        self.triplets: list[np.ndarray] = []

    def add(self, parts: list[DecodedBlock], hashes: list[list[bytes]]) -> None:
        """Append one batch's blocks; a triplet is the row numbers of its three."""
        numbers = []
        for part, keys in zip(parts, hashes, strict=True):
            anchor = part.block.role == "anchor"  # the same map may be the anchor of two modes
            known = list(zip(keys, part.mode, strict=True)) if anchor else [(key,) for key in keys]
            numbers.append(self.tables[part.block.role].add(part, known, keys))
        if len(numbers) == 3:
            self.triplets.append(np.stack(numbers, axis=1))

    def close(self, contradictory: set[bytes]) -> None:
        """Finish every file. Contradictory records stay in the table and are listed beside it."""
        for table in self.tables.values():
            if table.writer is not None:
                table.writer.close()
        if self.triplets:
            rows = np.concatenate(self.triplets)
            names = ("anchor", "positive", "negative")
            pq.write_table(
                pa.table({name: rows[:, i] for i, name in enumerate(names)}), self.draft / "triplets.parquet"
            )
        (self.draft / "contradictory.txt").write_text("".join(f"{key.hex()}\n" for key in sorted(contradictory)))
