"""A model that judges beside the champion, and what becomes of both: agreement, flips, and errors as labels arrive.

    artifacts/shadow/<champion>-<challenger>-<digest>.parquet    a row for each record that both judged

A record that is judged again, or whose label comes later, keeps its row. Nothing here moves the pointer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.authorship import system_user
from tasks.core.errors import DamagedRelease
from tasks.core.files import digest_of, ensure_writable, replace_durably
from tasks.core.inspection import Proportion
from tasks.core.results import PinnedSource
from tasks.core.stages import scratch_folder
from tasks.core.text import one_line
from tasks.promotion.paired_rates import score_interval
from tasks.promotion.shadow_summary import ErrorPair, ShadowSummary
from tasks.registry.candidates import candidates
from tasks.registry.journal import Entry
from tasks.registry.journal_events import utc_now
from tasks.registry.loading import LoadedRelease
from tasks.registry.pointer import champion_state
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords
from tasks.registry.releases import Release, readable_releases, rejected_drafts
from tasks.scoring.accuracy import proportion
from tasks.scoring.batch import ScoredBatch

FOLDER = "shadow"
CONFIDENCE = 0.95
MAX_RECORDS = 500_000  # of a pair, the newest; some 50 MB
MIN_GROUPS = 3  # below this, groups say nothing of other groups
SCHEMA = pa.schema(
    {name: pa.string() for name in ("record", "part", "group", "label", "mode", "champion", "challenger")}
)


def find_challenger(artifacts: Path, champion: Release) -> Release | None:
    """The model that judges beside the champion: the waiting candidate, else the newest release that was made after the
    champion and never was one, else the newest draft that was rejected against it. None where there is no such model
    for maps of the same size. Raises DamagedJournal.
    """
    decided = {entry.release.version: entry.state for entry in candidates(artifacts)}
    ever, number = champion_state(artifacts).ever, _number(champion.version)
    newer = [entry for entry in readable_releases(artifacts)[::-1] if _number(entry.version) > number]
    later = [entry for entry in newer if (entry.manifest.enrolled or {}).get("kind") != "lot"]  # for that lot alone
    waiting = [entry for entry in later if decided.get(entry.version) == "waiting"]
    free = [entry for entry in later if entry.version not in (*ever, *decided)]
    drafts = [entry for entry in rejected_drafts(artifacts)[::-1] if entry.manifest.compared_with == champion.version]
    size = champion.manifest.map_size
    return next((entry for entry in (*waiting, *free, *drafts) if entry.manifest.map_size == size), None)


def _number(version: str) -> int:
    return int(version[1:]) if version[1:].isdigit() else 0


class ShadowCollector:
    """Keeps a row of SCHEMA for each record of batches that the challenger judged, too."""

    def __init__(self, champion: LoadedRelease, challenger: LoadedRelease) -> None:
        self.champion, self.challenger = champion, challenger
        self.rows = SCHEMA.empty_table()

    def update(self, batch: ScoredBatch) -> None:
        """Add a batch."""
        records, count = batch.records, len(batch)
        good = self.champion.data.good
        modes = np.array(self.champion.classifier.modes, object)[batch.predictions.mode]
        columns = {
            "record": [key.hex() for key in records.hashes],
            "part": records.id or [None] * count,
            "group": records.group,
            "label": [None if label is None else "good" if label == good else "defect" for label in records.label],
            "mode": [mode or nearest for mode, nearest in zip(records.mode, modes.tolist(), strict=True)],
            "champion": batch.predictions.verdict.astype(object),
            "challenger": batch.others[self.challenger.version].verdict.astype(object),
        }
        self.rows = pa.concat_tables([self.rows, pa.table(columns, SCHEMA)])  # which copies nothing
        if len(self.rows) > 2 * MAX_RECORDS:
            self.rows = newest(self.rows)

    def result(self) -> pa.Table:
        """The rows of all batches, or the newest of them: as many as are kept."""
        return self.rows


def shadow_path(artifacts: Path, champion: Release, challenger: Release) -> Path:
    """The file of a pair of models."""
    digests = (side.manifest.fingerprint[:8] for side in (champion, challenger))
    return artifacts / FOLDER / f"{champion.version}-{challenger.version}-{'-'.join(digests)}.parquet"


def merge(path: Path, new: pa.Table, labels: Mapping[str, str]) -> pa.Table:
    """Keep the rows with those of before, and return all; the caller holds the registry's lock.

    labels: `good` or `defect` by record, as people decided; they replace those of a source, and a label of before
    stays where the new row has none. Raises DamagedRelease where the file is not as it was written.
    """
    table = newest(pa.concat_tables([_read(path), new]))
    pairs = zip(table["record"].to_pylist(), table["label"].to_pylist(), strict=True)
    table = _with_labels(table, pa.array([labels.get(record, label) for record, label in pairs], pa.string()))
    ensure_writable(path.parent)
    with scratch_folder(path.parent, "table") as draft:
        pq.write_table(table, draft / path.name)
        replace_durably(draft / path.name, path)
    return table


def newest(table: pa.Table) -> pa.Table:
    """The last row of each record, of the MAX_RECORDS newest; a label of an earlier row stays where it has none."""
    code = table["record"].combine_chunks().dictionary_encode().indices.to_numpy()
    place, labelled = np.arange(len(table)), np.flatnonzero(table["label"].is_valid())
    last, last_labelled = np.full((2, code.max(initial=-1) + 1), -1)
    last[code], last_labelled[code[labelled]] = place, labelled  # of several places, the last one stays
    kept = np.argsort(last)[-MAX_RECORDS:]
    label = table["label"].take(pa.array(last_labelled[kept], mask=last_labelled[kept] < 0))
    return _with_labels(table.take(last[kept]), label).combine_chunks()


def _with_labels(table: pa.Table, label: pa.Array) -> pa.Table:
    return table.set_column(SCHEMA.names.index("label"), SCHEMA.field("label"), label)


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, schema=SCHEMA) if path.exists() else SCHEMA.empty_table()
    except (pa.ArrowException, OSError) as error:
        raise DamagedRelease(
            f"{path}: expected the verdicts of two models, found {one_line(error)[:80]}; remove it to begin anew"
        ) from None


def shadow_entry(summary: ShadowSummary, champion: Release, challenger: Release, source: PinnedSource) -> Entry:
    """The journal's entry of one scored source; the same source judged again by the same models gives none."""
    name = challenger.version
    key = digest_of(source.source, source.identity, champion.manifest.fingerprint, challenger.manifest.fingerprint)
    errors = {kind: getattr(summary, kind) for kind in ("escapes", "false_alarms")}
    facts = {"champion": champion.version, "source": source.source, "revision": source.revision}
    facts |= {"records": summary.records, "agreed": summary.agreed.count, "labelled": summary.labelled}
    facts |= {kind: None if pair is None else asdict(pair) for kind, pair in errors.items()}
    values = {"when": utc_now(), "by": system_user(), "why": summary.sentence, "facts": facts}
    return Entry(event="shadowed", subject=name, key=f"shadowed {name} {key[:16]}", **values)


def summarize(table: pa.Table, champion: LoadedRelease, challenger: LoadedRelease) -> ShadowSummary:
    """The summary of all rows, of which there is at least one."""
    columns = {name: np.array(table[name].to_pylist(), object) for name in SCHEMA.names}
    differ = columns["champion"] != columns["challenger"]
    sides = zip(columns["champion"][differ], columns["challenger"][differ], strict=True)
    pairs = [f"{before} → {after}" for before, after in sides]
    names, counts = np.unique(np.array(pairs, str), return_counts=True)
    hashes, splits = columns["record"].astype("S32"), (SplitRecords.load(side.path) for side in (champion, challenger))
    new = np.logical_and.reduce([RecordKeys(split.hash, split.is_seen).find(hashes) < 0 for split in splits])
    labelled = new & (columns["label"] != None)  # noqa: E711  elementwise
    return ShadowSummary(
        champion=champion.version,
        challenger=challenger.version,
        records=len(table),
        agreed=proportion(int((~differ).sum()), len(table), CONFIDENCE),
        changes={str(name): int(count) for name, count in zip(names, counts, strict=True)},
        modes=_by_mode(columns["mode"], differ),
        labelled=int(labelled.sum()),
        escapes=_errors(columns, labelled & (columns["label"] == "defect")),
        false_alarms=_errors(columns, labelled & (columns["label"] == "good")),
    )


def _by_mode(mode: np.ndarray, differ: np.ndarray) -> dict[str, Proportion]:
    """The share of verdicts that differ of each mode, the largest first."""
    shares = {
        str(name): proportion(int(differ[mode == name].sum()), int((mode == name).sum()), CONFIDENCE)
        for name in np.unique(mode.astype(str))
    }
    return dict(sorted(shares.items(), key=lambda item: (-item[1].rate, item[0])))


def _errors(columns: dict[str, np.ndarray], rows: np.ndarray) -> ErrorPair | None:
    """Both models' errors on the records (n,) bool, which are all good or all defective."""
    if not rows.any():
        return None
    is_good = columns["label"][rows] == "good"
    wrong = {side: (columns[side][rows] == "good") != is_good for side in ("champion", "challenger")}
    rates = {side: proportion(int(of.sum()), len(of), CONFIDENCE) for side, of in wrong.items()}
    interval = score_interval(wrong["challenger"], wrong["champion"], _units(columns["group"][rows]), CONFIDENCE)
    return ErrorPair(**rates, difference=rates["challenger"].rate - rates["champion"].rate, interval=interval)


def _units(group: np.ndarray) -> np.ndarray:
    """What varies as one (n,): groups where there are enough, else each record."""
    names = [name if name is not None else f"record {i}" for i, name in enumerate(group)]
    codes = np.unique(np.array(names, str), return_inverse=True)[1]
    has_groups = any(name is not None for name in group) and codes.max() + 1 >= MIN_GROUPS
    return codes if has_groups else np.arange(len(group))
