"""Reads a source once, checks it, and writes it in Kensa's Parquet form.

`records.parquet` holds each distinct record once: `record` (its hash), `map` (fixed-size list of float32, row-major),
`label`, `mode`, `group`, and `id`, the name of the first part with this map. A larger source is read piece by piece
into `records-00000.parquet` and so on, in its order; `left_out.npy` (k, 2) names table and row of records that an
earlier table has too. A wide triplet set is split up: its distinct anchors go to `anchors.parquet`, its rows to
`triplets.parquet` as row numbers of the two. `contradictory.txt` lists the records with several labels or modes. Labels
that people decided stand in place of the source's own, and `decided.json` says which records they are
(tasks/sources/decided_labels.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.caching.assembly import CacheTables
from tasks.caching.pieces import (
    PieceRequest,
    decode_all,
    remove_pieces,
    request_pieces,
    write_piece,
    write_tables,
)
from tasks.config.fingerprints import cache_digest
from tasks.config.run import DataConfig
from tasks.core.errors import KensaError, UnfitData
from tasks.core.facts import CacheFacts
from tasks.core.files import ensure_writable, write_json
from tasks.core.progress import RecordCounter, note_line
from tasks.core.results import CachedSource, DownloadedSource
from tasks.core.stages import get_or_make_stage
from tasks.data.card import read_card
from tasks.data.checks import DataChecks
from tasks.data.limits import require_max_rows
from tasks.data.listing import list_tables
from tasks.data.readers import FILE_CHECKS, TableSource, open_source
from tasks.data.records import DECIDED_CODES
from tasks.data.schema import detect_layout
from tasks.data.selection import was_read_otherwise
from tasks.sources.decided_labels import LabelOverlay
from tasks.sources.standards import find_standard
from tasks.workers.cluster import map_pieces


def cache(
    downloaded: DownloadedSource,
    data: DataConfig,
    data_folder: Path,
    held_out: bool = False,
    dask: str | None = None,
) -> CachedSource:
    """The source in Kensa's form below `data_folder`, made unless it is there already and intact.

    `held_out` prefers the split `test` over `train`; `dask`: workers that make the pieces of a large source, and see
    both folders under the same path (tasks/workers/cluster.py). Raises UnfitData with all findings where a required
    check fails; then nothing is written.
    """
    root = ensure_writable(data_folder / "cache")
    source = downloaded.resolved
    digest = cache_digest(_reading(downloaded), data, held_out)

    requests: list[PieceRequest] = []
    digests: dict[str, str] = {}

    def make(draft: Path) -> dict[str, Any]:
        parts = downloaded.parts or (downloaded,)
        folders = [Path(part.folder) for part in parts if part.names is None and part.folder]
        overlay = LabelOverlay.read(folders, data, adds=not held_out)
        table = open_source(downloaded, data, held_out)
        requests.extend(request_pieces(table, data, overlay, root, digest))
        return _write(table, data, overlay, CacheTables(draft, digests), requests, dask).as_json()

    try:
        stage = get_or_make_stage(root, "records", digest, make, digests)
    except KensaError:
        remove_pieces(root, digest, len(requests))
        raise
    remove_pieces(root, digest)  # also those of a run that was killed here
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


def _write(
    table: TableSource,
    data: DataConfig,
    overlay: LabelOverlay,
    tables: CacheTables,
    requests: list[PieceRequest],
    dask: str | None,
) -> CacheFacts:
    """Read all batches once: check them, and write them where the columns are fit; raises UnfitData.

    requests: for the pieces of a source that is divided; another is written into the draft at once.
    """
    layout, draft = detect_layout(table.schema, data), tables.folder
    if requests:
        _add_pieces(tables, requests, overlay, data, dask)
    else:
        blocks = decode_all(table.batches, layout, data, overlay)
        tables.move(write_tables(draft / ".read", blocks, layout, data, progress=RecordCounter("read")))
    if layout.fit and (added := overlay.additions()):
        tables.move(write_tables(draft / ".added", [[added]], layout, data))
    records = tables.close()
    if layout.fit and (codes := overlay.codes()):
        write_json(draft / DECIDED_CODES, codes)
    findings = (*table.findings, *layout.findings, *DataChecks(layout, data, tables.values, records).result())
    if any(finding.required and not finding.success for finding in findings):
        raise UnfitData(table.name, findings)
    return CacheFacts(
        source_kind=layout.kind,
        rows=tables.values.rows,
        records=records.distinct,
        modes=dict(sorted(records.modes().items())),
        labels=dict(sorted(records.labels().items())),
        groups=[block.group for block in layout.blocks if block.group],
        findings=findings,
        decided=overlay.summary(),
    )


def _add_pieces(
    tables: CacheTables, requests: list[PieceRequest], overlay: LabelOverlay, data: DataConfig, dask: str | None
) -> None:
    """Make every piece, and add it to the tables in the source's order."""
    progress = RecordCounter("read")
    for request, piece in zip(requests, map_pieces(write_piece, requests, dask, "engine.dask"), strict=True):
        try:
            tables.add(piece)
        except FileNotFoundError:  # another process that made the same cache has just removed it
            tables.add(write_piece(request))
        overlay.seen |= piece.seen
        overlay.changed |= piece.changed
        require_max_rows(tables.values.rows, request.source, data)
        progress.update(tables.values.rows)
