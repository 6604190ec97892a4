"""Which parts people look at: doubtful labels, unknown and uncertain parts, changed verdicts, and random ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import DamagedRelease
from tasks.core.results import DownloadedSource
from tasks.core.text import one_line
from tasks.data.split import place_of_unit
from tasks.registry.loading import LoadedRelease
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import LABELS_FILE, SplitRecords
from tasks.scoring.batch import ScoredBatch, ScoredRecord
from tasks.scoring.judging import open_parts, score_batches
from tasks.scoring.verdicts import predict

KINDS = ("changed", "unknown", "uncertain", "queue", "random")  # in which order they take turns
RANDOM = "random"
SEED = 0
MOST_RANDOM = 40  # times as many as of another kind: nine of ten parts, where all kinds are full


@dataclass(frozen=True)
class ReviewItem:
    """One part: its scores by the champion, and why it is shown; key: hash of its map in hex.

    new: the release was made without it; picked: `random`, or `chosen` by what a model says of it; other: the verdict
    of the other release, None without one.
    """

    key: str
    record: ScoredRecord
    kind: str
    new: bool
    other: str | None = None

    @property
    def picked(self) -> str:
        """How the part came to be shown."""
        return RANDOM if self.kind == RANDOM else "chosen"


@dataclass(frozen=True)
class Choice:
    """How many parts of each kind are shown at most, and the share of all that is picked at random."""

    most: int = 50
    random_share: float = 0.2


def collect_items(
    release: LoadedRelease, other: LoadedRelease | None, source: DownloadedSource | None, choice: Choice
) -> list[ReviewItem]:
    """The parts to look at, each once, the kinds in turn.

    source: new parts, None to look at the release's own doubtful labels alone. Raises what scoring does.
    """
    found: dict[str, list[ReviewItem]] = {kind: [] for kind in KINDS}
    found["queue"] = list(_doubtful_labels(release, choice.most))
    if source is not None:
        collector = _Collector(release, other, choice.most)
        for batch in score_batches(open_parts(source, release), release):
            collector.update(batch)
        found |= collector.result(len(found["queue"]), choice.random_share)
    return _in_turn(found)


def _in_turn(found: dict[str, list[ReviewItem]]) -> list[ReviewItem]:
    """One of each kind after the other; a part that was picked at random is shown as such, whatever else it is."""
    taken, items = {item.key for item in found[RANDOM]}, []
    for place in range(max(map(len, found.values()), default=0)):
        for kind in KINDS:
            if place < len(found[kind]) and (kind == RANDOM or found[kind][place].key not in taken):
                items.append(found[kind][place])
                taken.add(found[kind][place].key)
    return items


def _doubtful_labels(release: LoadedRelease, most: int) -> Iterator[ReviewItem]:
    """The release's label queue, the most certain first."""
    try:
        table = pq.read_table(release.path / LABELS_FILE).slice(0, most)
        rows = table.to_pylist()
        maps = np.array([row["map"] for row in rows], np.float32).reshape(len(rows), release.anchors.shape[1])
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedRelease(f"{release.path / LABELS_FILE}: cannot be read ({one_line(error)}); restore it") from None
    if not rows:
        return
    predictions = predict(release, maps)
    for i, row in enumerate(rows):
        named = {"mode": row["mode"], "group": row["group"] or None, "id": row.get("id") or None}
        scored = ScoredRecord.of(predictions, i, i, maps[i], label=None, **named)
        yield ReviewItem(row["record"], scored, "queue", new=False)


@dataclass
class _Collector:
    """Keeps the most remarkable parts of each kind while batches stream by, and the first ones by their hash."""

    release: LoadedRelease
    other: LoadedRelease | None
    most: int
    kept: dict[str, list[tuple[float, ReviewItem]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        split = SplitRecords.load_if_stored(self.release.path)
        self.known = RecordKeys(np.empty(0, "S32") if split is None else split.hash)
        self.kept = {kind: [] for kind in KINDS}

    def update(self, batch: ScoredBatch) -> None:
        """Add a batch."""
        keys = [key.hex() for key in batch.records.hashes]
        verdict, margin = batch.predictions.verdict, np.abs(batch.predictions.margin)
        place = np.array([place_of_unit(key, SEED) for key in keys])
        self._keep("random", place, np.ones(len(batch), bool), batch, keys)
        self._keep("unknown", -batch.predictions.distance, verdict == "unknown", batch, keys)
        self._keep("uncertain", margin, np.isfinite(margin), batch, keys)
        if self.other is not None:
            theirs = predict(self.other, batch.records.maps).verdict
            self._keep("changed", margin, theirs != verdict, batch, keys, theirs)

    def _keep(
        self,
        kind: str,
        rank: np.ndarray,
        wanted: np.ndarray,
        batch: ScoredBatch,
        keys: list[str],
        theirs: np.ndarray | None = None,
    ) -> None:
        """Of the wanted parts the `most` of lowest rank, each once; of random ones as many as any share asks for."""
        rows, most = np.flatnonzero(wanted), self.most * (MOST_RANDOM if kind == RANDOM else 1)
        rows = rows[np.argsort(rank[rows], kind="stable")][:most]
        new = self.known.find(np.array([keys[i] for i in rows], "S32")) < 0
        for i, is_new in zip(rows, new.tolist(), strict=True):
            other = None if theirs is None else str(theirs[i])
            item = ReviewItem(keys[i], batch.record(i), kind, is_new, other)
            self.kept[kind].append((float(rank[i]), item))
        best = {item.key: (place, item) for place, item in reversed(self.kept[kind])}
        self.kept[kind] = sorted(best.values(), key=lambda entry: entry[0])[:most]

    def result(self, others: int, share: float) -> dict[str, list[ReviewItem]]:
        """The parts by kind; so many random ones that they are the share of all, the `others` counted."""
        found = {kind: [item for _, item in entries] for kind, entries in self.kept.items() if kind != "queue"}
        hard = {item.key for kind, items in found.items() if kind != RANDOM for item in items}
        wanted = round((len(hard) + others) * share / (1 - share)) if share < 1 else self.most
        verdicts = {item.key: item.other for item in found["changed"]}
        found[RANDOM] = [replace(item, other=verdicts.get(item.key)) for item in found[RANDOM][:wanted]]
        return found
