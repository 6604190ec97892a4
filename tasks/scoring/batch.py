"""Scored records as they stream by: a single one, a batch of them, and a whole source batch by batch."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tasks.config.run import DataConfig
from tasks.core.errors import DamagedRelease, UnreadableSource
from tasks.core.files import file_digest
from tasks.core.progress import RecordCounter
from tasks.core.results import DownloadedSource
from tasks.core.stages import MANIFEST
from tasks.data.decode import DecodedBlock, decode
from tasks.data.readers import SCORING_OPTION, TableSource, open_source
from tasks.data.schema import TableLayout, detect_layout, map_columns
from tasks.registry.loading import LoadedRelease, load_verified_release
from tasks.registry.releases import read_release, verify_release
from tasks.scoring.verdicts import Predictions, predict
from tasks.workers.cluster import map_pieces


@dataclass(frozen=True)
class ScoredRecord:
    """One record: its row in the source, its map (values,), and its predictions (see Predictions).

    label, mode and group are the source's own texts, None where it has none. id: what names the part.
    """

    row: int
    map: np.ndarray
    nearest: int
    distance: float
    score: float
    verdict: str
    margin: float
    beta: float
    sqrt_ve: float
    embedded: np.ndarray
    label: str | None
    mode: str | None
    group: str | None
    id: str | None = None

    @classmethod
    def of(cls, predictions: Predictions, i: int, row: int, values: np.ndarray, **labels: str | None) -> ScoredRecord:
        """The i-th of the predictions with its row and map (values,); labels: label, mode, group and id.

        Its arrays are copies, so that it does not keep all others in memory.
        """
        return cls(
            row=row,
            map=values.copy(),
            nearest=int(predictions.mode[i]),
            distance=float(predictions.distance[i]),
            score=float(predictions.score[i]),
            verdict=str(predictions.verdict[i]),
            margin=float(predictions.margin[i]),
            beta=float(predictions.beta[i]),
            sqrt_ve=float(predictions.sqrt_ve[i]),
            embedded=predictions.embedded[i].copy(),
            **labels,
        )


@dataclass(frozen=True)
class ScoredBatch:
    """Consecutive records of a source and a release's predictions on them; `start` is the row of the first."""

    start: int
    records: DecodedBlock
    predictions: Predictions

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.records.maps)

    @property
    def rows(self) -> np.ndarray:
        """The records' rows in the source, (n,)."""
        return np.arange(self.start, self.start + len(self))

    def record(self, i: int) -> ScoredRecord:
        """The i-th record."""
        records = self.records
        return ScoredRecord.of(
            self.predictions,
            i,
            self.start + int(i),
            records.maps[i],
            label=records.label[i],
            mode=records.mode[i],
            group=records.group[i],
            id=None if records.id is None else records.id[i],
        )


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


def score_batches(parts: TableSource, release: LoadedRelease, dask: str | None = None) -> Iterator[ScoredBatch]:
    """The records of a source and the release's predictions on them, in the source's order.

    dask: the workers that predict (tasks/workers/cluster.py); they see the release under the same path.
    Raises UnreadableSource for maps of another size, values that are not finite, or a source without records, and what
    `map_pieces` does.
    """
    progress, end = RecordCounter("scored"), 0
    judge = _Judge(release) if dask is None else _RemoteJudge.of(release)
    for batch in map_pieces(judge, _numbered(parts), dask):
        yield batch
        end = batch.start + len(batch)
        progress.update(end)
    if not end:
        raise UnreadableSource(f"{parts.name}: expected records to score, found none")


def _numbered(parts: TableSource) -> Iterator[_Unscored]:
    start = 0
    for batch in parts.batches:
        yield _Unscored(start, batch, parts.name)
        start += batch.num_rows


@dataclass(frozen=True)
class _Unscored:
    """Consecutive rows of a source, and the first one's number."""

    start: int
    rows: pa.RecordBatch
    source: str


@dataclass(frozen=True)
class _Judge:
    """A release that scores batches in this process."""

    release: LoadedRelease

    def __call__(self, batch: _Unscored) -> ScoredBatch:
        layout = require_matching_layout(batch.rows.schema, self.release, batch.source)
        (records,) = decode(batch.rows, layout, self.release.data)
        _require_finite(records, batch.start, self.release)
        return ScoredBatch(batch.start, records, predict(self.release, records.maps))


@dataclass(frozen=True)
class _RemoteJudge:
    """The same on a worker, which opens the release once.

    digest: SHA-256 of the release's manifest; data: how the source's tables are read.
    """

    path: Path
    digest: str
    data: DataConfig

    @classmethod
    def of(cls, release: LoadedRelease) -> _RemoteJudge:
        path = release.path.resolve()
        return cls(path, file_digest(path / MANIFEST), release.data)

    def __call__(self, batch: _Unscored) -> ScoredBatch:
        scored = _Judge(replace(_opened(self.path, self.digest), data=self.data))(batch)
        _ = scored.records.hashes  # which take time, and travel with the records
        return scored


@functools.lru_cache(maxsize=1)
def _opened(path: Path, digest: str) -> LoadedRelease:
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
    finite = np.isfinite(records.maps).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        problem = "one of another size" if records.wrong_size[row] else "values that are not"
        raise UnreadableSource(
            f"row {start + row}: expected a map of {release.data.rows}×{release.data.cols} finite values, as "
            f"{release.version} was trained on, found {problem}; correct or remove the record"
        )
