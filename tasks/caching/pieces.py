"""The pieces of a source: some row groups or files of it, each of which becomes tables of the cache by itself.

A piece is a sealed folder. A worker that dies costs the piece that it was at; the pieces before it are there.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa

from tasks.caching.file_parts import FilePart, file_parts
from tasks.caching.tables import TableWriter
from tasks.config.run import DataConfig
from tasks.core.files import digest_of, draft_prefix
from tasks.core.json_form import Json
from tasks.core.progress import RecordCounter
from tasks.core.stages import get_or_make_stage, stage_folder
from tasks.data.checks import LabelAndMode, ValueCounts
from tasks.data.decode import DecodedBlock, ahead, decode
from tasks.data.readers import TableSource, translate_reader_errors
from tasks.data.schema import TableLayout, detect_layout
from tasks.sources.decided_labels import DecidedLabel, LabelOverlay

PIECE_STAGE = "piece"
PIECE_ROWS = 1 << 18  # and of a table; the memory of a piece is that of so many hashes
OVERLAY_KEYS = ("seen", "changed")


@dataclass(frozen=True)
class PieceRequest:
    """What a worker needs to make a piece: what it reads, how, and below which folder it writes.

    digest: names the piece; rows: of a table; decided: the labels that people decided.
    """

    parts: tuple[FilePart, ...]
    digest: str
    source: str
    columns: tuple[str, ...]
    layout: TableLayout
    data: DataConfig
    decided: dict[bytes, DecidedLabel]
    root: Path
    rows: int


@dataclass(frozen=True)
class Piece:
    """The tables of a piece in a folder, and what was counted while they were written.

    pairs: the label and mode that each code of its keys stands for; seen, changed: as in LabelOverlay;
    digests: the SHA-256 of the files of a sealed folder.
    """

    folder: Path
    values: ValueCounts
    pairs: list[LabelAndMode]
    tables: int
    seen: set[bytes] = field(default_factory=set)
    changed: set[bytes] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)


def write_piece(request: PieceRequest) -> Piece:
    """The piece as a sealed folder, made unless it is there already. Raises UnreadableSource."""
    overlay = LabelOverlay(request.decided)

    def make(draft: Path) -> Json:
        with translate_reader_errors(request.source):
            batches = (batch for part in request.parts for batch in part.batches(request.columns))
            blocks = decode_all(batches, request.layout, request.data, overlay)
            piece = write_tables(draft, blocks, request.layout, request.data, request.rows)
        facts = {"values": asdict(piece.values), "pairs": piece.pairs, "tables": piece.tables}
        return facts | {name: sorted(key.hex() for key in getattr(overlay, name)) for name in OVERLAY_KEYS}

    stage = get_or_make_stage(request.root, PIECE_STAGE, request.digest, make)
    facts = stage.facts
    keys = {name: {bytes.fromhex(key) for key in facts[name]} for name in OVERLAY_KEYS}
    pairs = [(label, mode) for label, mode in facts["pairs"]]
    values = ValueCounts.from_json(facts["values"])
    return Piece(Path(stage.path), values, pairs, facts["tables"], **keys, digests=facts["files"])


def decode_all(
    batches: Iterable[pa.RecordBatch], layout: TableLayout, data: DataConfig, overlay: LabelOverlay
) -> Iterator[list[DecodedBlock]]:
    """The blocks of each batch, with the labels that people decided."""
    return ([overlay.relabel(block) for block in decode(batch, layout, data)] for batch in ahead(iter(batches)))


def write_tables(
    folder: Path,
    blocks: Iterable[list[DecodedBlock]],
    layout: TableLayout,
    data: DataConfig,
    rows: int | None = None,
    progress: RecordCounter | None = None,
) -> Piece:
    """Count the blocks of all batches, and write them into a new or empty folder where the columns are fit.

    rows: of a table, by default PIECE_ROWS.
    """
    folder.mkdir(exist_ok=True)
    writer = TableWriter(folder, layout, data.rows * data.cols, rows or PIECE_ROWS)
    for batch in blocks:
        writer.add(batch)
        if progress is not None:
            progress.update(writer.counts.rows)
    writer.close()
    return Piece(folder, writer.counts, list(writer.pairs), writer.tables)


def request_pieces(
    table: TableSource, data: DataConfig, overlay: LabelOverlay, root: Path, digest: str
) -> list[PieceRequest]:
    """The pieces of the cache `digest` below `root`, in the source's order: about PIECE_ROWS records each.

    A piece has at least a row group or a file. There are none where a source is not divided: a small one, or wide
    triplets, each of which names rows of one table.
    """
    layout = detect_layout(table.schema, data)
    if not layout.fit or len(layout.blocks) > 1 or any(file.path is None for file in table.files):
        return []
    pieces = list(_grouped(file_parts(table, data, PIECE_ROWS), PIECE_ROWS))
    shared = (table.name, table.columns, layout, data, overlay.decided, root.resolve(), PIECE_ROWS)
    named = ((parts, _piece_digest(digest, number)) for number, parts in enumerate(pieces))
    return [PieceRequest(parts, name, *shared) for parts, name in named] if len(pieces) > 1 else []


def _grouped(parts: Iterable[tuple[FilePart, float]], rows: int) -> Iterator[tuple[FilePart, ...]]:
    """Parts with their numbers of rows, joined to pieces of at most `rows`; a larger part is a piece alone."""
    piece: list[FilePart] = []
    size = 0.0
    for part, count in parts:
        if piece and size + count > rows:
            yield tuple(piece)
            piece, size = [], 0.0
        piece.append(part)
        size += count
    yield tuple(piece)


def remove_pieces(root: Path, digest: str, count: int | None = None) -> None:
    """Remove the folders of the first `count` pieces of the cache `digest`; None: of all up to the first that is gone.

    The last piece goes first, so that those that a killed process leaves are found from the first one on. A folder is
    renamed before it is removed: one that is half removed never has the name of a whole one.
    """
    folders = (stage_folder(root, PIECE_STAGE, _piece_digest(digest, number)) for number in itertools.count())
    there = itertools.takewhile(Path.exists, folders) if count is None else itertools.islice(folders, count)
    for number, folder in enumerate(list(there)[::-1]):
        going = folder.with_name(f"{draft_prefix(PIECE_STAGE)}{number}")
        with contextlib.suppress(FileNotFoundError):  # another process that made the same cache was first
            shutil.rmtree(folder.rename(going), ignore_errors=True)


def _piece_digest(cache: str, number: int) -> str:
    return digest_of(PIECE_STAGE, cache, number, PIECE_ROWS)
