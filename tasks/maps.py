"""Photographs to a source of maps: one row a photograph, with the standard they were measured against.

maps.parquet     map (rows·cols float32), label, fmode and group where they are known, file, registered (bool)
standard.npz     see tasks/imaging/standard.py: next month's photographs are measured against the same
maps.png         some photographs, as they were registered, and their maps
README.md        from what, and how
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import UnreadablePhotos, UnusableFolder
from tasks.core.files import ensure_writable
from tasks.core.progress import RecordCounter
from tasks.core.results import MapsResult
from tasks.core.stages import scratch_folder
from tasks.imaging.photos import Photo, content_digest, list_photos, require_opencv
from tasks.imaging.standard import MapOptions, Standard, make_standard, read_standard, write_standard

GROUP_ROWS, SHEET_PHOTOS = 512, 6
MAX_UNREGISTERED = 0.1  # share of photographs beyond which something is wrong with the camera or the standard


def make_maps(
    photos: Path, standard: Path, out: Path, asked: MapOptions, good: str, most_unregistered: float
) -> MapsResult:
    """Write the source `out`, a new folder, from photographs and a standard.

    `standard` is a folder of photographs of good parts, or one (or a file) that holds a `standard.npz`, whose
    settings then win over `asked`. Raises MissingExtra, UnreadablePhotos, UnfitStandard, and UnusableFolder
    where `out` holds something.
    """
    require_opencv()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UnusableFolder(f"{out}: expected a new or an empty folder, found something in it; choose another --out")
    found = list_photos(photos, good)
    measure = _standard(standard, asked, photos)
    with scratch_folder(ensure_writable(out.parent), "maps") as draft:
        counts, unregistered, shown = _write(found, measure, draft)
        if len(unregistered) > most_unregistered * len(found):
            raise UnreadablePhotos(
                f"{photos}: expected at most {most_unregistered:.0%} of the photographs to lie elsewhere than the "
                f"standard, found {len(unregistered)} of {len(found)}, such as {unregistered[0]}; check the camera, or "
                "allow more with --max-shift, --max-turn and --most-unregistered"
            )
        write_standard(measure, draft)
        _draw(shown, measure, draft)
        overlap = sum(content_digest(photo) in measure.photos for photo in found)
        told = MapsResult(str(out), len(found), dict(counts), tuple(unregistered), len(measure.photos), overlap)
        (draft / "README.md").write_text(_readme(told, photos, standard, measure), encoding="utf-8")
        if out.exists():
            out.rmdir()
        draft.rename(out)
    return told


def _standard(place: Path, asked: MapOptions, photos: Path) -> Standard:
    if place.is_file() or (place / "standard.npz").exists():
        return read_standard(place)
    return make_standard(list_photos(place), asked)


def _write(found: list[Photo], measure: Standard, draft: Path) -> tuple[Counter[str], list[str], list[Any]]:
    """Records by mode, the names of those that could not be registered, and what is to be shown."""
    counts, unregistered, shown = Counter(), [], []
    wanted = {found[i].name for i in np.linspace(0, len(found) - 1, min(SHEET_PHOTOS, len(found))).astype(int)}
    progress = RecordCounter("mapped")
    schema = _schema(found, measure)
    with pq.ParquetWriter(draft / "maps.parquet", schema, use_dictionary=False) as writer:
        for start in range(0, len(found), GROUP_ROWS):
            some, rows = found[start : start + GROUP_ROWS], []
            for photo, (values, seen, registered, move) in zip(some, _maps(some, measure), strict=True):
                rows.append((values, move.registered))
                counts[photo.mode or "unlabelled"] += 1
                unregistered += [] if move.registered else [photo.name]
                if photo.name in wanted:
                    shown.append((photo.name, seen, registered, values))
            writer.write_table(_table(some, rows, schema))
            progress.update(start + len(some))
    return counts, unregistered, shown


def _maps(some: list[Photo], measure: Standard) -> Iterator[tuple[Any, ...]]:
    return (measure.to_map(photo) for photo in some)


def _schema(found: list[Photo], measure: Standard) -> pa.Schema:
    """Columns that no photograph fills are not there: Kensa then takes the source for one without labels."""
    values = measure.asked.rows * measure.asked.cols
    fields = [("map", pa.list_(pa.float32(), values))]
    fields += [("label", pa.string()), ("fmode", pa.string())] if found[0].mode is not None else []
    fields += [("group", pa.string())] if any(photo.group for photo in found) else []
    return pa.schema([*fields, ("file", pa.string()), ("registered", pa.bool_())])


def _table(some: list[Photo], rows: list[tuple[np.ndarray, bool]], schema: pa.Schema) -> pa.Table:
    flat = pa.array(np.stack([values for values, _ in rows]).ravel())
    columns = {
        "map": pa.FixedSizeListArray.from_arrays(flat, schema.field("map").type.list_size),
        "label": [photo.label for photo in some],
        "fmode": [photo.mode for photo in some],
        "group": [photo.group for photo in some],
        "file": [photo.name for photo in some],
        "registered": [held for _, held in rows],
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _readme(told: MapsResult, photos: Path, standard: Path, measure: Standard) -> str:
    """The folder's card; its front matter names the one table, so that nothing else is taken for data."""
    asked = measure.asked
    front = {"configs": [{"config_name": "default", "data_files": "maps.parquet"}], "tags": ["kensa"]}
    lines = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
    modes = "\n".join(f"| {json.dumps(mode)} | {count} |" for mode, count in sorted(told.modes.items()))
    return "\n".join(
        [
            "---",
            *lines,
            "---",
            "",
            f"# RT maps of {told.records} photographs",
            "",
            f"Maps of {asked.rows}×{asked.cols} RT distances of the photographs in {json.dumps(str(photos))} from the "
            f"standard of {told.standard} good ones in {json.dumps(str(standard))} (`standard.npz`), "
            f"registered: {asked.register}.",
            f"{len(told.unregistered)} could not be brought onto the standard (column `registered`); "
            f"{told.overlap} of the photographs are in the standard, too.",
            "",
            "| mode | records |",
            "| --- | ---: |",
            modes,
            "",
        ]
    )


def _draw(shown: list[Any], measure: Standard, draft: Path) -> None:
    from tasks.report.photo_sheet import SheetRow, photo_sheet  # matplotlib

    photo_sheet([SheetRow(*row) for row in shown], measure.mean, draft / "maps.png")
