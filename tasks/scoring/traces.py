"""The verdicts that a line has given, kept so that a part can be traced: by which release, on what evidence.

    artifacts/traces/<digest>.parquet     the table of one scoring, as `kensa score` writes it
    artifacts/traces/<name>/<day>/…       tables of `kensa serve --keep artifacts/traces/<name>`

A scoring of the same source by the same release gives the same verdicts, and is kept once, with its first time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import UnreadableSource, UnusableFolder
from tasks.core.files import digest_of, ensure_writable, replace_durably, sync_to_disk
from tasks.core.progress import note_line
from tasks.core.stages import scratch_folder
from tasks.core.text import one_line
from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import UNREADABLE_RELEASE, SplitRecords, ThresholdSettings
from tasks.registry.releases import Release, get_release, release_folders

FOLDER = "traces"
PARTS_OF_SPLIT = ("training", "validation", "calibration", "test")


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on: threshold of the release, its rule, and the part of the split that the record was in.

    None where the release is not there any more, or is another one of that name.
    """

    threshold: float | None = None
    rule: str | None = None
    seen_in: str | None = None


@dataclass(frozen=True)
class TracedVerdict:
    """One verdict on a part: the row of the table, the source with its revision, and the evidence."""

    verdict: dict[str, Any]
    source: str
    revision: str
    evidence: Evidence


def keep_trace(artifacts: Path, table: Path, key: tuple[Any, ...], release: LoadedRelease) -> None:
    """Keep a finished table of verdicts; `key`: what was scored. What cannot be kept is told, and fails nothing."""
    name = f"{digest_of(*key, release.version, release.manifest.fingerprint)[:32]}.parquet"
    place = artifacts / FOLDER / name
    if place.exists() or not artifacts.is_dir():
        return
    try:
        with scratch_folder(ensure_writable(place.parent), "trace") as draft:
            shutil.copyfile(table, draft / name)
            sync_to_disk(draft / name)
            replace_durably(draft / name, place)
    except (OSError, UnusableFolder) as error:  # a release may be read-only for those who score with it
        note_line(f"{place.parent}: not kept for kensa trace ({one_line(error)})")


def trace(artifacts: Path, part: str) -> list[TracedVerdict]:
    """Every verdict that the line has given on a part, oldest first; raises UnreadableSource for a damaged table."""
    tables = sorted((artifacts / FOLDER).rglob("*.parquet"))
    verdicts = [entry for table in tables for entry in _in_table(table, artifacts, part)]
    return sorted(verdicts, key=lambda entry: (entry.verdict["time"], entry.verdict["row"]))


def _in_table(path: Path, artifacts: Path, part: str) -> Iterator[TracedVerdict]:
    try:
        table = pq.read_table(path, filters=[("part", "=", part)])
        origin = json.loads((table.schema.metadata or {}).get(b"kensa", b"{}"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableSource(
            f"{path}: expected a table of verdicts ({one_line(error)}); restore or remove it"
        ) from None
    for row in table.to_pylist():
        evidence = _evidence(artifacts, row)
        yield TracedVerdict(row, origin.get("source", ""), origin.get("revision", ""), evidence)


def _evidence(artifacts: Path, row: dict[str, Any]) -> Evidence:
    """The threshold of the release that gave the verdict, and whether its training had seen the record."""
    if row["release"] not in release_folders(artifacts):
        return Evidence()
    try:
        release = get_release(artifacts, row["release"])
        threshold = ThresholdSettings.load(release.path).thresholds[0]
        return Evidence(threshold.value, threshold.rule, _seen_in(release, row["record"]))
    except UNREADABLE_RELEASE:
        return Evidence()


def _seen_in(release: Release, record: str) -> str | None:
    split = SplitRecords.load_if_stored(release.path)
    if split is None:
        return None
    (rows,) = (split.hash == record.encode()).nonzero()
    return PARTS_OF_SPLIT[int(split.part[rows[0]])] if len(rows) and split.part[rows[0]] >= 0 else None
