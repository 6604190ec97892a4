"""A whole source judged by a release, batch by batch: here, or piece by piece on the workers of a Dask cluster."""

from __future__ import annotations

import functools
import itertools
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.caching.file_parts import FilePart, file_parts
from tasks.config.run import DataConfig
from tasks.core.errors import DamagedRelease, UnreadableSource
from tasks.core.files import file_digest
from tasks.core.progress import RecordCounter
from tasks.core.results import DownloadedSource
from tasks.core.stages import MANIFEST
from tasks.data.decode import DecodedBlock, ahead, decode
from tasks.data.listing import table_kind
from tasks.data.readers import SCORING_OPTION, TableSource, open_source, translate_reader_errors
from tasks.data.schema import TableLayout, detect_layout, map_columns
from tasks.registry.loading import LoadedRelease, load_verified_release
from tasks.registry.releases import read_release, verify_release
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.examples import ExampleCollector, smallest
from tasks.scoring.flips import flip_keys
from tasks.scoring.verdicts import predict
from tasks.workers.cluster import map_pieces

PIECE_ROWS = 1 << 14  # that a worker judges at once


def open_parts(
    source: DownloadedSource, release: LoadedRelease, config: str | None = None, part: str | None = None
) -> TableSource:
    """A source as the release can score it; its configuration and split are those given here.

    Those of the release are of its training source, and so are limits below the usual ones. Raises UnreadableSource,
    and BadSetting for a choice that the source does not have.
    """
    usual = DataConfig()
    limits = {name: max(getattr(usual, name), getattr(release.data, name)) for name in ("most_records", "most_bytes")}
    data = replace(release.data, config=config, part=part, **limits)
    return open_source(source, data, held_out=True, option=SCORING_OPTION)


def score_batches(
    parts: TableSource,
    release: LoadedRelease,
    dask: str | None = None,
    *,
    others: Sequence[LoadedRelease] = (),
    whole: bool = True,
) -> Iterator[ScoredBatch]:
    """The records of a source and the release's predictions on them, in the source's order.

    dask: the workers that predict (tasks/workers/cluster.py); they see Parquet files and releases under the same path,
    and are sent the records of other files. others: releases that predict, too. whole: whether all maps are needed;
    otherwise the batches of workers have those of ExampleCollector and of FlipCollector alone.
    Raises UnreadableSource for maps of another size, values that are not finite, or a source without records, and what
    `map_pieces` does.
    """
    progress, end = RecordCounter("scored"), 0
    judge = Judge(release, tuple(others)) if dask is None else RemoteJudge.of(release, others, whole)
    for batch in itertools.chain.from_iterable(map_pieces(judge, _pieces(parts, release), dask)):
        yield batch
        end = batch.start + len(batch)
        progress.update(end)
    if not end:
        raise UnreadableSource(f"{parts.name}: expected records to score, found none")


@dataclass(frozen=True)
class _Piece:
    """Consecutive records of a source: read already, or a part of a file; `start`: the row of the first."""

    source: str
    start: int
    read: tuple[pa.RecordBatch, ...] = ()
    part: FilePart | None = None
    columns: tuple[str, ...] = ()

    def batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The batches, each with the row of its first record."""
        start = self.start
        with translate_reader_errors(self.source):
            for batch in self.read if self.part is None else self.part.batches(self.columns):
                yield start, batch
                start += batch.num_rows


def _pieces(parts: TableSource, release: LoadedRelease) -> Iterator[_Piece]:
    """The pieces of a source, which are the same whoever judges them."""
    start = 0
    if parts.files and all(file.path is not None and table_kind(file.path.name) == "parquet" for file in parts.files):
        for part, count in file_parts(parts, release.data, PIECE_ROWS):
            yield _Piece(parts.name, start, part=part, columns=parts.columns)
            start += int(count)
    else:
        for batch in parts.batches:
            yield _Piece(parts.name, start, read=(batch,))
            start += batch.num_rows


@dataclass(frozen=True)
class Judge:
    """Releases that predict on the records of pieces, in this process."""

    release: LoadedRelease
    others: tuple[LoadedRelease, ...] = ()

    def __call__(self, piece: _Piece) -> Iterator[ScoredBatch]:
        """The batches of a piece, one at a time; the next one is read and decoded in a thread beside the tower."""
        for start, records in ahead(self._decoded(piece)):
            _require_finite(records, start, self.release)
            others = {other.version: predict(other, records.maps) for other in self.others}
            yield ScoredBatch(start, records, predict(self.release, records.maps), others)

    def _decoded(self, piece: _Piece) -> Iterator[tuple[int, DecodedBlock]]:
        """The records of each batch, with the row of the first."""
        for start, batch in piece.batches():
            layout = require_matching_layout(batch.schema, self.release, piece.source)
            (records,) = decode(batch, layout, self.release.data)
            records.hashes  # noqa: B018, computed here and kept
            yield start, records


@dataclass(frozen=True)
class RemoteJudge:
    """The same on a worker, which opens each release once.

    releases: folder and SHA-256 of the manifest of the release and of the others; data: how the source is read.
    """

    releases: tuple[tuple[Path, str], ...]
    data: DataConfig
    whole: bool

    @classmethod
    def of(cls, release: LoadedRelease, others: Sequence[LoadedRelease], whole: bool) -> RemoteJudge:
        """What is sent to the workers."""
        paths = [side.path.resolve() for side in (release, *others)]
        return cls(tuple((path, file_digest(path / MANIFEST)) for path in paths), release.data, whole)

    def __call__(self, piece: _Piece) -> list[ScoredBatch]:
        """The batches of a piece."""
        release, *others = (_open(path, digest) for path, digest in self.releases)
        release = replace(release, data=self.data)
        batches = Judge(release, tuple(others))(piece)
        return [batch if self.whole else batch.slim(_shown(batch, release, others)) for batch in batches]


def _shown(batch: ScoredBatch, release: LoadedRelease, others: Sequence[LoadedRelease]) -> np.ndarray:
    """The records that a page may show, ascending."""
    rows = [smallest(keys) for keys in ExampleCollector(release).keys(batch).values()]
    rows += [smallest(flip_keys(release, other, batch)) for other in others]
    return np.unique(np.concatenate(rows))


@functools.lru_cache(maxsize=4)
def _open(path: Path, digest: str) -> LoadedRelease:
    if not (path / MANIFEST).exists() or file_digest(path / MANIFEST) != digest:
        raise DamagedRelease(
            f"{path}: expected the release on the worker {socket.gethostname()} as it is here, found none or another; "
            "mount the folder of the releases there under the same path"
        )
    return load_verified_release(verify_release(read_release(path)))


def require_matching_layout(schema: pa.Schema, release: LoadedRelease, source: str) -> TableLayout:
    """The layout of a table that the release can score; labels and modes are not needed.

    Raises UnreadableSource for a table without maps of the release's size.
    """
    data = release.data
    layout = detect_layout(schema, data)
    if len(layout.blocks) != 1 or len(layout.columns[0]) != len(map_columns(layout.blocks[0], data)):
        raise UnreadableSource(
            f"{source}: expected records with {data.rows}×{data.cols} maps (data0… or map) for "
            f"{release.version}, found {layout.kind} that do not fit; score another source, or with another --release"
        )
    return layout


def _require_finite(records: DecodedBlock, start: int, release: LoadedRelease) -> None:
    if not records.finite.all():
        row = int(np.argmin(records.finite))
        problem = "one of another size" if records.wrong_size[row] else "values that are not"
        raise UnreadableSource(
            f"row {start + row}: expected a map of {release.data.rows}×{release.data.cols} finite values, as "
            f"{release.version} was trained on, found {problem}; correct or remove the record"
        )
