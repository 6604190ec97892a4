"""Turns photographs into a source of maps: one row a photograph, with the standard that they are measured against.

maps.parquet     map (rows·cols float32), label, fmode and group where they are known, file, registered (bool)
standard.npz     see tasks/imaging/standard.py; later photographs can be measured against the same standard
maps.png         some photographs, as they were registered, and their maps
README.md        what the maps were made from, and how
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import UnreadablePhotos, UnusableFolder
from tasks.core.files import ensure_writable
from tasks.core.progress import RecordCounter
from tasks.core.results import MapsResult
from tasks.core.stages import scratch_folder
from tasks.imaging.photos import Photo, content_digest, list_photos, list_standard, require_opencv, unread_images
from tasks.imaging.standard import (
    STANDARD_FILE,
    MapOptions,
    MeasuredPhoto,
    Standard,
    make_standard,
    read_standard,
    write_standard,
)
from tasks.workers.cluster import map_pieces

GROUP_ROWS = 512  # of a row group
PIECE_PHOTOS = 64  # that one worker measures at once
SHEET_PHOTOS = 6
MAX_UNREGISTERED = 0.1  # share of the photographs; with more, something is wrong with the camera or the standard


def make_maps(
    photos: Path,
    standard: Path,
    out: Path,
    options: MapOptions,
    good: str = "good",
    max_unregistered: float = MAX_UNREGISTERED,
    dask: str | None = None,
) -> MapsResult:
    """Write the source `out`, a new folder, from photographs and a standard.

    `standard` is a folder of photographs of good parts, or one (or a file) that holds a `standard.npz`, whose
    settings then replace `options`; `good` is the subfolder of good parts; `dask`: workers that see the photographs
    under the same path (tasks/workers/cluster.py). Raises MissingExtra, UnreadablePhotos, also for more than the share
    `max_unregistered` without registration, UnfitStandard, and UnusableFolder where `out` holds something.
    """
    require_opencv()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UnusableFolder(f"{out}: expected a new or an empty folder, found something in it; choose another --out")
    listed = list_photos(photos, good)
    measure = _standard(standard, options, good)
    listed = [replace(photo, path=photo.path.resolve()) for photo in listed]
    with scratch_folder(ensure_writable(out.parent), "maps") as draft:
        written = _write_maps(listed, measure, draft, dask)
        _require_registered(photos, written.unregistered, len(listed), max_unregistered)
        write_standard(measure, draft)
        _draw(written.sheet, measure, draft)
        overlap = sum(content_digest(photo) in measure.photos for photo in listed)
        result = MapsResult(
            path=str(out),
            records=len(listed),
            modes=dict(written.modes),
            unregistered=tuple(written.unregistered),
            standard=len(measure.photos),
            overlap=overlap,
            unread=unread_images(photos),
        )
        (draft / "README.md").write_text(_readme(result, photos, standard, measure.options), encoding="utf-8")
        if out.exists():
            out.rmdir()
        draft.rename(out)
    return result


def _standard(path: Path, options: MapOptions, good: str) -> Standard:
    if path.suffix == ".npz" or (path / STANDARD_FILE).exists():
        return read_standard(path)
    return make_standard(list_standard(path, good), options)


def _require_registered(photos: Path, unregistered: list[str], count: int, maximum: float) -> None:
    if len(unregistered) > maximum * count:
        raise UnreadablePhotos(
            f"{photos}: expected at most {maximum:.0%} of the photographs to lie elsewhere than the "
            f"standard, found {len(unregistered)} of {count}, such as {unregistered[0]}; check the camera, or "
            "allow more with --max-shift, --max-turn and --most-unregistered"
        )


@dataclass
class _WrittenMaps:
    """Records by mode, the names of photographs that were not registered, and the photographs for the sheet."""

    modes: Counter[str] = field(default_factory=Counter)
    unregistered: list[str] = field(default_factory=list)
    sheet: list[tuple[str, MeasuredPhoto]] = field(default_factory=list)


def _write_maps(photos: list[Photo], standard: Standard, draft: Path, dask: str | None) -> _WrittenMaps:
    written, progress = _WrittenMaps(), RecordCounter("mapped")
    on_sheet = {photos[i].name for i in np.linspace(0, len(photos) - 1, min(SHEET_PHOTOS, len(photos))).astype(int)}
    schema = _schema(photos, standard.options)
    with pq.ParquetWriter(draft / "maps.parquet", schema, use_dictionary=False) as writer:
        pieces = [tuple(photos[start : start + PIECE_PHOTOS]) for start in range(0, len(photos), PIECE_PHOTOS)]
        measured = itertools.chain.from_iterable(map_pieces(_Measure(standard, frozenset(on_sheet)), pieces, dask))
        for start in range(0, len(photos), GROUP_ROWS):
            group, rows = photos[start : start + GROUP_ROWS], []
            for photo, row in zip(group, measured, strict=False):
                rows.append(row)
                written.modes[photo.mode or "unlabelled"] += 1
                written.unregistered += [] if row.registered else [photo.name]
                written.sheet += [(photo.name, row.measured)] if row.measured else []
                progress.update(start + len(rows))
            writer.write_table(_table(group, rows, schema))
    return written


@dataclass(frozen=True)
class _Row:
    """A photograph's map (values,), whether it was registered, and all that was measured where the sheet shows it."""

    map: np.ndarray
    registered: bool
    measured: MeasuredPhoto | None


@dataclass(frozen=True)
class _Measure:
    """Measures some photographs against the standard, here or on a worker."""

    standard: Standard
    on_sheet: frozenset[str]

    def __call__(self, photos: tuple[Photo, ...]) -> list[_Row]:
        return [self._row(photo) for photo in photos]

    def _row(self, photo: Photo) -> _Row:
        measured = self.standard.to_map(photo)
        kept = measured if photo.name in self.on_sheet else None
        return _Row(measured.map.ravel(), measured.alignment.registered, kept)


def _schema(photos: list[Photo], options: MapOptions) -> pa.Schema:
    """The columns that some photograph fills: without labels, Kensa then recognises a source without labels."""
    fields = [("map", pa.list_(pa.float32(), options.rows * options.cols))]
    fields += (
        [("label", pa.string()), ("fmode", pa.string())] if any(photo.mode is not None for photo in photos) else []
    )
    fields += [("group", pa.string())] if any(photo.group for photo in photos) else []
    return pa.schema([*fields, ("file", pa.string()), ("registered", pa.bool_())])


def _table(photos: list[Photo], rows: list[_Row], schema: pa.Schema) -> pa.Table:
    values = pa.array(np.concatenate([row.map for row in rows]))
    columns = {
        "map": pa.FixedSizeListArray.from_arrays(values, schema.field("map").type.list_size),
        "label": [photo.label for photo in photos],
        "fmode": [photo.mode for photo in photos],
        "group": [photo.group for photo in photos],
        "file": [photo.name for photo in photos],
        "registered": [row.registered for row in rows],
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _readme(result: MapsResult, photos: Path, standard: Path, options: MapOptions) -> str:
    """The folder's card; its front matter names the one table, so that no other file is read as data."""
    modes = "\n".join(f"| {json.dumps(mode)} | {count} |" for mode, count in sorted(result.modes.items()))
    return f"""\
---
configs: [{{"config_name": "default", "data_files": "maps.parquet"}}]
tags: ["kensa"]
---

# RT maps of {result.records} photographs

Maps of {options.rows}×{options.cols} RT distances of the photographs in {json.dumps(str(photos))} from the standard \
of {result.standard} good ones in {json.dumps(str(standard))} (`standard.npz`), registered: {options.register}.
{len(result.unregistered)} could not be registered onto the standard (column `registered`); {result.overlap} of the \
photographs are in the standard, too.

| mode | records |
| --- | ---: |
{modes}
"""


def _draw(sheet: list[tuple[str, MeasuredPhoto]], standard: Standard, draft: Path) -> None:
    from tasks.report.photo_sheet import SheetRow, photo_sheet  # matplotlib

    rows = [SheetRow(name, photo.values, photo.registered, photo.map) for name, photo in sheet]
    photo_sheet(rows, standard.mean, draft / "maps.png")
