"""What the days of a source have taught about it, kept beside the releases from one run of `kensa drift` to the next.

    artifacts/drift/<release>-<digest of the source>.json
        format, release, reference (digest), source, config, part
        revision        of the last day
        before, after   what the days before and after it have taught, by series
        seen            base64 of 4 bytes of each record's hash, of the last MAX_SEEN records that were counted
        seen_before     how many of them the earlier days have counted
        seal            digest of all other keys

A record is counted once, so that a data set that grows is judged by what is new in it. The same revision again is the
same day again. Another release, or another reference of it, starts anew.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tasks.core.errors import UnusableFolder
from tasks.core.files import (
    add_checksum,
    checksum_matches,
    digest_of,
    ensure_writable,
    file_digest,
    replace_durably,
    write_json,
)
from tasks.core.json_form import Json
from tasks.core.progress import note_line
from tasks.monitoring.daily_charts import LastingChange, SeriesDays
from tasks.monitoring.drift_tests import History
from tasks.registry.loading import LoadedRelease
from tasks.registry.release_files import REFERENCE_FILE, SPLIT_FILE

FORMAT = 1
MAX_SEEN = 200_000  # 1 MB of the file


@dataclass(frozen=True)
class DayHistory:
    """The days before the one that is judged: what they have taught, and the records that they have counted, (n,)."""

    path: Path
    heading: Json
    series: History = field(default_factory=dict)
    seen: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint32))


def load_history(
    artifacts: Path, release: LoadedRelease, source: str, revision: str, config: str | None, part: str | None
) -> DayHistory:
    """The days of this source and release before this revision; a damaged file is set aside, which one line says."""
    # A release of an earlier version has no reference: its records make one, and are as good a name.
    stored = release.path / REFERENCE_FILE
    reference = file_digest(stored if stored.exists() else release.path / SPLIT_FILE)
    name = f"{release.version}-{digest_of('drift days', source, config, part)[:12]}.json"
    heading = {"format": FORMAT, "release": release.version, "reference": reference, "source": source}
    new = DayHistory(artifacts / "drift" / name, {**heading, "config": config, "part": part, "revision": revision})
    if not new.path.exists():
        return new
    try:
        stored = json.loads(new.path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or not checksum_matches(stored) or stored["format"] != FORMAT:
            raise ValueError("it differs from its checksum, or is of another format")
        if stored["reference"] != reference:
            return new
        again = stored["revision"] == revision
        seen = np.frombuffer(base64.b64decode(stored["seen"]), np.uint32)
        series = _series_from_json(stored["before" if again else "after"])
        return DayHistory(new.path, new.heading, series, seen[: stored["seen_before"]] if again else seen)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        _set_aside(new.path)
        return new


def save_history(history: DayHistory, after: History, counted: list[int]) -> None:
    """Store what the series know after this day, and its records; one line says where the folder takes no file."""
    before = history.seen[max(0, len(history.seen) + len(counted) - MAX_SEEN) :]
    seen = np.concatenate([before, np.array(counted[-MAX_SEEN:], np.uint32)])
    entries = {
        **history.heading,
        "before": _series_as_json(history.series),
        "after": _series_as_json(after),
        "seen": base64.b64encode(seen.tobytes()).decode(),
        "seen_before": len(before),
    }
    try:
        ensure_writable(history.path.parent)
        write_json(history.path, add_checksum(entries))
    except UnusableFolder as error:
        note_line(f"the next run will not know of this day: {error}")


def _set_aside(path: Path) -> None:
    aside = path.with_suffix(".damaged")
    try:
        replace_durably(path, aside)
    except OSError as error:
        note_line(f"{path}: cannot be read, nor set aside ({error.strerror}); the days of this source start anew")
        return
    note_line(f"{path}: cannot be read; set aside as {aside.name}, and the days of this source start anew")


def _series_as_json(series: History) -> list[Json]:
    return [{"title": title, "mode": mode, **asdict(days)} for (title, mode), days in series.items()]


def _series_from_json(entries: list[Json]) -> History:
    series: History = {}
    for entry in entries:
        values = dict(entry)
        key = values.pop("title"), values.pop("mode")
        sides = {side: LastingChange(**values.pop(side)) for side in ("up", "down")}
        series[key] = SeriesDays(**values, **sides)
    return series
