"""Reads a source once, checks it, and writes it in Kensa's Parquet form.

`records.parquet` holds each distinct record once: `record` (its hash), `map` (fixed-size list of float32, row-major),
`label`, `mode`, `group`, and `id`, the name of the first part with this map. A wide triplet set is split up: its
distinct anchors go to `anchors.parquet`, its rows to `triplets.parquet` as row numbers of the two.
`contradictory.txt` lists the records with several labels or modes. Labels that people decided stand in place of the
source's own, and `decided.json` says which records they are (tasks/sources/decided_labels.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.config.fingerprints import cache_digest
from tasks.config.run import DataConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import CacheFacts
from tasks.core.files import ensure_writable, write_json
from tasks.core.progress import RecordCounter, note_line
from tasks.core.results import CachedSource, DownloadedSource
from tasks.core.stages import get_or_make_stage
from tasks.data.card import read_card
from tasks.data.checks import DataChecks
from tasks.data.decode import DecodedBlock, decode
from tasks.data.listing import list_tables
from tasks.data.readers import FILE_CHECKS, TableSource, open_source
from tasks.data.records import DECIDED_CODES
from tasks.data.schema import detect_layout
from tasks.data.selection import was_read_otherwise
from tasks.sources.decided_labels import LabelOverlay
from tasks.sources.standards import find_standard


def cache(downloaded: DownloadedSource, data: DataConfig, data_folder: Path, held_out: bool = False) -> CachedSource:
    """The source in Kensa's form below `data_folder`, made unless it is there already and intact.

    `held_out` prefers the split `test` over `train`. Raises UnfitData with all findings where a required check
    fails; then nothing is written.
    """
    root = ensure_writable(data_folder / "cache")
    source = downloaded.resolved
    digest = cache_digest(_reading(downloaded), data, held_out)

    def make(draft: Path) -> dict[str, Any]:
        parts = downloaded.parts or (downloaded,)
        folders = [Path(part.folder) for part in parts if part.names is None and part.folder]
        overlay = LabelOverlay.read(folders, data, adds=not held_out)
        return _write(open_source(downloaded, data, held_out), data, draft, overlay).as_json()

    stage = get_or_make_stage(root, "records", digest, make)
    facts = CacheFacts.from_json(stage.facts)
    for finding in facts.findings:
        if finding.name in FILE_CHECKS and not finding.success:
            note_line(f"{finding.name}: {finding.notes}")
    return CachedSource(source, stage, facts, find_standard(downloaded))


def _reading(downloaded: DownloadedSource) -> str:
    """What names the source; with a mark where an earlier version read the files of the Hub otherwise.

    A folder has another revision then, and what is named by a path or chosen by `#…` no earlier version could read.
    """
    source = downloaded.resolved
    if source.kind != "hub" or source.identity != source.revision:
        return source.identity
    folder = Path(downloaded.folder)
    otherwise = was_read_otherwise(list_tables(folder), read_card(folder, source.source))
    return f"{source.revision}, read anew" if otherwise else source.revision


def _write(table: TableSource, data: DataConfig, draft: Path, overlay: LabelOverlay) -> CacheFacts:
    """Read all batches once: check them, and write them where the columns are fit; raises UnfitData."""
    layout = detect_layout(table.schema, data)
    checks, progress = DataChecks(layout, data), RecordCounter("read")
    writers = _Writers(draft, data.rows * data.cols) if layout.fit else None
    for batch in table.batches:
        blocks = [overlay.relabel(block) for block in decode(batch, layout, data)]
        checks.update(blocks)
        progress.update(checks.rows)
        if writers:
            writers.add(blocks)
    if writers and (added := overlay.additions()):
        checks.update([added])
        writers.add([added])
    if writers:
        writers.close(checks.contradictory)
        if codes := overlay.codes():
            write_json(draft / DECIDED_CODES, codes)
    findings = (*table.findings, *layout.findings, *checks.result())
    if any(finding.required and not finding.success for finding in findings):
        raise UnfitData(table.name, findings)
    labels = Counter(label for label, _ in checks.records.values())
    return CacheFacts(
        source_kind=layout.kind,
        rows=checks.rows,
        records=len(checks.records),
        modes=dict(sorted(checks.modes().items())),
        labels=dict(sorted(labels.items())),
        groups=[block.group for block in layout.blocks if block.group],
        findings=findings,
        decided=overlay.summary(),
    )


class _Writers:
    """The files of one cache folder while they are written."""

    def __init__(self, draft: Path, size: int) -> None:
        self.draft = draft
        self.tables = {
            "record": _DistinctTable(draft / "records.parquet", size),
            "anchor": _DistinctTable(draft / "anchors.parquet", size),
        }
        self.triplets: list[np.ndarray] = []

    def add(self, blocks: list[DecodedBlock]) -> None:
        """Append the blocks of one batch; a triplet is the row numbers of its three maps."""
        numbers = [self.tables[block.block.role].add(block) for block in blocks]
        if len(numbers) == 3:
            self.triplets.append(np.stack(numbers, axis=1))

    def close(self, contradictory: set[bytes]) -> None:
        """Finish every file. Contradictory records stay in the table and are listed beside it."""
        for table in self.tables.values():
            if table.writer is not None:
                table.writer.close()
        if self.triplets:
            columns = np.concatenate(self.triplets).T
            triplets = pa.table(dict(zip(("anchor", "positive", "negative"), columns, strict=True)))
            pq.write_table(triplets, self.draft / "triplets.parquet")
        (self.draft / "contradictory.txt").write_text(
            "".join(f"{key.hex()}\n" for key in sorted(contradictory)), encoding="utf-8"
        )


@dataclass
class _DistinctTable:
    """A Parquet file to which each distinct row is appended once. `rows`: row numbers by key."""

    path: Path
    size: int
    rows: dict[Hashable, int] = field(default_factory=dict)
    writer: pq.ParquetWriter | None = None

    def add(self, block: DecodedBlock) -> np.ndarray:
        """Append the rows that are new; returns the row number of every row of the block, (rows,) int64."""
        anchor = block.block.role == "anchor"  # two modes may have the same anchor
        keys = zip(block.hashes, block.mode, strict=True) if anchor else block.hashes
        before = len(self.rows)
        numbers = np.array([self.rows.setdefault(key, len(self.rows)) for key in keys], np.int64)
        new, first = np.unique(numbers, return_index=True)
        chosen = first[new >= before]
        if len(chosen):
            self._append(_record_batch(block, chosen, self.size))
        return numbers

    def _append(self, batch: pa.RecordBatch) -> None:
        if self.writer is None:
            # Values of measured maps do not repeat: a dictionary or compression only costs time.
            self.writer = pq.ParquetWriter(self.path, batch.schema, compression="none", use_dictionary=False)
        self.writer.write_batch(batch)


def _record_batch(block: DecodedBlock, chosen: np.ndarray, size: int) -> pa.RecordBatch:
    keys = pa.array([block.hashes[i] for i in chosen], pa.binary(16))
    maps = pa.FixedSizeListArray.from_arrays(pa.array(block.maps[chosen].ravel()), size)
    texts = {
        name: pa.array([values[i] for i in chosen], pa.string())
        for name, values in (("label", block.label), ("mode", block.mode), ("group", block.group), ("id", block.id))
    }
    return pa.RecordBatch.from_pydict({"record": keys, "map": maps, **texts})
