"""The leakage report of an evaluation: records, groups and linked records that are in more than one part.

It is computed from the bank as it is used: its maps are hashed and its training records averaged again. Only the
numbers of records that were dropped, which are no longer in the bank, come from the step that dropped them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations

import numpy as np

from tasks.core.json_form import Json
from tasks.core.sentences import Sentence, join_sentences, sentence
from tasks.data.bank import Bank, evenly_spread, hex_of
from tasks.data.columns import row_blocks
from tasks.data.map_statistics import MAPS_PER_BLOCK, training_means
from tasks.data.split import PARTS
from tasks.evaluation.leakage_report import LeakageReport, LinkedComponents, NamedGroups, Overlap, Provenance
from tasks.model.classifier import PrototypeClassifier
from tasks.registry.record_bank import RecordKeys

SAME_DISTANCE = 1e-5  # relative; sums in another order differ in their last bits
MAX_NAMED = 10  # groups in more than one part that are named
NEAR_COPY = 0.1  # of the usual distance to the nearest neighbour: another lens or rounding, hardly another part
MAX_NEIGHBOUR_QUERIES, MAX_NEIGHBOURS = 1000, 5000  # maps whose nearest neighbour is looked for, and among how many


def leakage_report(
    bank: Bank,
    sample: Bank,
    classifier: PrototypeClassifier,
    refit: Callable[[Bank], PrototypeClassifier],
    facts: Json,
) -> LeakageReport:
    """What is in more than one part, where anchors and prototypes come from, and what was dropped.

    sample: the records of the bank that the classifier was fitted to and is evaluated on, or the bank itself. `refit`
    fits the classifier again to a bank, here to one of training records alone. facts: those of the triplets stage.
    """
    hashes, wrong = _hash_again(bank)
    rows, hash_code = RecordKeys(hashes).repeated()
    records = _parts_of_units(hash_code, bank.part[rows])
    groups, linked = _groups_of_parts(bank), _parts_of_units(bank.component, bank.part)
    train = training_records_only(sample, bank)
    report = LeakageReport(
        verdict=Sentence(""),
        leaks=(),
        cuts=(),
        overlaps=tuple(
            Overlap(
                (PARTS[a], PARTS[b]),
                _count(records[a] & records[b]),
                len(groups[a] & groups[b]),
                _count(linked[a] & linked[b]),
            )
            for a, b in combinations(range(len(PARTS)), 2)
        ),
        mislabelled_hashes=wrong,
        crossing_triplets=_crossing(bank),
        groups=_named_groups(groups),
        components=_components(bank, linked),
        anchors=_provenance({"anchors": bank.anchors}, {"anchors": train.anchors}),
        prototypes=_provenance(_points(classifier), _points(refit(train))),
        dropped={name: n for name, n in facts.items() if name.startswith(("dropped_", "test_"))},
        split_by=facts["split_by"],
    )
    report = replace(report, leaks=_leaks(report), cuts=_cuts(report, _near_copies(bank)))
    return replace(report, verdict=_verdict(report))


def training_records_only(sample: Bank, bank: Bank) -> Bank:
    """A bank of the sample's training records, with the mean maps of all training records; without triplets."""
    rows = sample.rows("train")
    anchors = training_means(bank.maps, bank.part, bank.mode, len(bank.modes))
    columns = (getattr(sample, name)[rows] for name in ("mode", "good", "part", "hash", "group"))
    empty = dict.fromkeys(PARTS, np.empty((0, 3), np.int32))
    return Bank(np.asarray(sample.maps[rows]), anchors, *columns, sample.modes, empty)


def _hash_again(bank: Bank) -> tuple[np.ndarray, int]:
    """The hash (n,) S32 of each map, which are the bank's own where all match, and how many do not."""
    rows, hashes = [np.empty(0, np.int64)], [np.empty(0, "S32")]
    for block in row_blocks(len(bank.maps), MAPS_PER_BLOCK):
        digests = (hashlib.blake2b(row, digest_size=16).digest() for row in np.asarray(bank.maps[block]))
        again = hex_of(np.frombuffer(b"".join(digests), "S16"))
        wrong = np.flatnonzero(again != bank.hash[block])
        rows.append(block.start + wrong)
        hashes.append(again[wrong])
    wrong = np.concatenate(rows)
    if not len(wrong):
        return bank.hash, 0
    of_maps = np.array(bank.hash)
    of_maps[wrong] = np.concatenate(hashes)
    return of_maps, len(wrong)


def _parts_of_units(unit: np.ndarray, part: np.ndarray) -> np.ndarray:
    """In which parts each unit has records, (parts + 1, units) bool; unit, part: (n,) codes of the records.

    The last row is of records that are in no part.
    """
    present = np.zeros((len(PARTS) + 1, unit.max(initial=-1) + 1), bool)
    for block in row_blocks(len(unit)):
        present[part[block], unit[block]] = True
    return present


def _groups_of_parts(bank: Bank) -> list[set[str]]:
    """The names of the groups that have records in each of PARTS."""
    groups: list[set[str]] = [set() for _ in PARTS]
    for block in row_blocks(len(bank.group)):
        for code, names in enumerate(groups):
            names.update(bank.group[block][bank.part[block] == code].tolist())
    return [names - {""} for names in groups]


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def _crossing(bank: Bank) -> int:
    """Triplets whose records do not all lie in the triplets' own part."""
    return sum(
        _count((bank.part[triplets[block, 1:]] != code).any(axis=1))
        for code, triplets in enumerate(bank.triplets.values())
        for block in row_blocks(len(triplets))
    )


def _named_groups(groups: list[set[str]]) -> NamedGroups:
    parts = Counter(chain.from_iterable(groups))
    split = sorted(name for name, count in parts.items() if count > 1)
    return NamedGroups(len(parts), len(split), tuple(split[:MAX_NAMED]))


def _components(bank: Bank, linked: np.ndarray) -> LinkedComponents | None:
    """None for a source that is not wide. A record that nothing links is a component of one, which no split can cut."""
    if not len(bank.component):
        return None
    sizes = np.bincount(bank.component)
    parts = np.count_nonzero(linked[: len(PARTS)], axis=0)
    return LinkedComponents(_count(sizes), int(sizes.max()), int(sizes.sum()), _count(sizes > 1), _count(parts > 1))


def _points(classifier: PrototypeClassifier) -> dict[str, np.ndarray]:
    """Every array of a classifier's prototypes by name, the good one among them."""
    good = {f"good {name}": values for name, values in (classifier.good or {}).items()}
    return {name: np.asarray(values) for name, values in (classifier.prototypes | good).items()}


def _provenance(used: dict[str, np.ndarray], again: dict[str, np.ndarray]) -> Provenance:
    """Compares the arrays in use with those made from training records alone; the digest is of those in use."""
    digest, worst = hashlib.sha256(), 0.0
    same = used.keys() == again.keys() and all(used[name].shape == again[name].shape for name in used)
    for name in sorted(used):
        digest.update(np.ascontiguousarray(used[name]).tobytes())
        if same:
            apart = np.abs(used[name] - again[name]).max(initial=0.0)
            worst = max(worst, float(apart / max(np.abs(again[name]).max(initial=0.0), 1e-12)))
    return Provenance(bool(same and worst <= SAME_DISTANCE), worst, digest.hexdigest())


def _leaks(report: LeakageReport) -> tuple[Sentence, ...]:
    counts = {
        "shared_records": sum(pair.records for pair in report.overlaps),
        "wrong_hashes": report.mislabelled_hashes,
        "crossing_triplets": report.crossing_triplets,
        "wrong_anchors": not report.anchors.equal,
        "wrong_prototypes": not report.prototypes.equal,
    }
    return tuple(sentence(code, count=int(count)) for code, count in counts.items() if count)


def _near_copies(bank: Bank) -> Json:
    """How many `count` of `records` test records, evenly spread, are near copies of training records.

    A near copy lies nearer to a training record than a tenth of the median distance between a training record and its
    nearest neighbour among the others. The hash of a record that was read in another precision is another.
    """
    train, test = (
        evenly_spread(bank.rows_on_disk((part,)), most)
        for part, most in (("train", MAX_NEIGHBOURS), ("test", MAX_NEIGHBOUR_QUERIES))
    )
    maps = np.asarray(bank.maps[train], np.float64)
    sample = evenly_spread(np.arange(len(train)), MAX_NEIGHBOUR_QUERIES)
    usual = np.median(_nearest(maps[sample], maps, sample))
    nearest = _nearest(np.asarray(bank.maps[test], np.float64), maps)
    return {"count": int((nearest < NEAR_COPY * usual).sum()), "records": len(test)}


def _nearest(queries: np.ndarray, maps: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """The Euclidean distance (n,) of each query to the nearest of the maps, but for its `own` row (n,) there."""
    nearest = []
    for start in range(0, len(queries), 256):
        block = queries[start : start + 256]
        squares = np.square(block).sum(axis=1)[:, None] + np.square(maps).sum(axis=1) - 2 * block @ maps.T
        if own is not None:
            squares[np.arange(len(block)), own[start : start + 256]] = np.inf
        nearest.append(squares.min(axis=1))
    return np.sqrt(np.maximum(np.concatenate(nearest), 0))


def _cuts(report: LeakageReport, near_copies: Json) -> tuple[Sentence, ...]:
    groups, linked, cuts = report.groups, report.components, []
    if groups.on_two_sides:
        cuts.append(sentence("cut_groups", split=groups.on_two_sides, groups=groups.count))
    elif linked and linked.on_two_sides and not groups.count:
        sizes = {"components": linked.linked, "largest": linked.largest, "records": linked.records}
        cuts.append(sentence("cut_components", split=linked.on_two_sides, **sizes))
    if near_copies["count"]:
        cuts.append(sentence("near_copies", **near_copies))
    return tuple(cuts)


def _verdict(report: LeakageReport) -> Sentence:
    if report.leaks:
        return sentence("not_clean", leaks=join_sentences(report.leaks))
    if report.cuts:
        return sentence("cut", cut=join_sentences(report.cuts), split_by=report.split_by)
    groups = "_groups" if report.groups.count else ""
    components = "_components" if report.components and not report.components.on_two_sides else ""
    return sentence(f"clean_records{groups}{components}")
