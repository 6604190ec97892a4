"""The leakage certificate of a judgement: which records, groups and linked records stand on which side.

It is computed from the bank as it is used, by hashing its maps and averaging its training records
anew, never copied from what an earlier step said of itself. Only what is no longer in the bank, the
records that were dropped, is told by the step that dropped them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from tasks.data.bank import Bank
from tasks.data.map_statistics import mode_means
from tasks.data.split import PARTS
from tasks.model.classifier import PrototypeClassifier

SAME_DISTANCE = 1e-5  # relative; sums in another order differ in their last bits
MAX_NAMED = 10  # groups on two sides that are named


def leakage_report(
    bank: Bank,
    judged: Bank,
    classifier: PrototypeClassifier,
    refit: Callable[[Bank], PrototypeClassifier],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """What stands on two sides, where anchors and prototypes come from, what was dropped, and the verdict.

    judged: the records of the bank by which the judge was made and is judged, or the bank itself. `refit`
    makes the judge anew from a bank; it gets one that holds training records and nothing else. facts: those of
    the triplets stage. `leaks` are faults for which no model may be released; `cuts` are groups or components
    that the data did not allow to be kept whole.
    """
    hashes = np.array([hashlib.blake2b(row, digest_size=16).hexdigest() for row in bank.maps], "S32")
    alone = training_records_only(judged, bank)
    found = {
        "overlaps": [_overlap(bank, hashes, *pair) for pair in combinations(PARTS, 2)],
        "mislabelled_hashes": int((hashes != bank.hash).sum()),
        "crossing_triplets": _crossing(bank),
        "groups": _components_kept(bank.group, bank.part, bank.group != ""),
        "components": _components(bank),
        "anchors": _provenance({"anchors": bank.anchors}, {"anchors": alone.anchors}),
        "prototypes": _provenance(_points(classifier), _points(refit(alone))),
        "dropped": {name: n for name, n in facts.items() if name.startswith(("dropped_", "test_"))},
        "split_by": facts["split_by"],
    }
    leaks, cuts = _leaks(found), _cuts(found)
    return {"verdict": _verdict(found, leaks, cuts), "leaks": leaks, "cuts": cuts, **found}


def training_records_only(judged: Bank, whole: Bank) -> Bank:
    """A bank of the judged training records alone, its anchors averaged anew over all of them; without triplets."""
    rows = judged.rows("train")
    anchors = mode_means(whole.maps, np.where(whole.part == PARTS.index("train"), whole.mode, -1), len(whole.modes))
    columns = (getattr(judged, name)[rows] for name in ("mode", "good", "part", "hash", "group"))
    empty = dict.fromkeys(PARTS, np.empty((0, 3), np.int32))
    return Bank(np.asarray(judged.maps[rows]), anchors, *columns, judged.modes, empty)


def _overlap(bank: Bank, hashes: np.ndarray, one: str, other: str) -> dict[str, Any]:
    """How many records (by hash), groups and components stand in both parts."""
    sides = bank.rows(one), bank.rows(other)
    groups = [set(bank.group[rows].tolist()) - {""} for rows in sides]
    linked = [set(bank.component[rows].tolist()) if len(bank.component) else set() for rows in sides]
    return {
        "parts": [one, other],
        "records": len(np.intersect1d(*(hashes[rows] for rows in sides))),
        "groups": len(groups[0] & groups[1]),
        "components": len(linked[0] & linked[1]),
    }


def _crossing(bank: Bank) -> int:
    """Triplets whose records do not all lie in the triplets' own part."""
    return sum(
        int((bank.part[rows[:, 1:]] != code).any(axis=1).sum()) for code, rows in enumerate(bank.triplets.values())
    )


def _components_kept(names: np.ndarray, part: np.ndarray, named: np.ndarray) -> dict[str, Any]:
    """How many different names there are, and which of them stand in more than one part."""
    pairs = np.unique(np.column_stack([np.unique(names[named], return_inverse=True)[1], part[named]]), axis=0)
    distinct = np.unique(names[named])
    split = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(distinct)) > 1)
    return {
        "count": len(distinct),
        "on_two_sides": len(split),
        "named": [str(name) for name in distinct[split[:MAX_NAMED]]],
    }


def _components(bank: Bank) -> dict[str, Any] | None:
    """Sizes of the sets of records that a wide source's triplets link; None for any other source.

    A record that nothing links is a component of one, which no split can cut.
    """
    if not len(bank.component):
        return None
    sizes = np.bincount(bank.component)
    whole = _components_kept(bank.component, bank.part, np.ones(len(bank.component), bool))
    return {
        "count": whole["count"],
        "largest": int(sizes.max()),
        "records": int(sizes.sum()),
        "linked": int((sizes > 1).sum()),
        "on_two_sides": whole["on_two_sides"],
    }


def _points(classifier: PrototypeClassifier) -> dict[str, np.ndarray]:
    """Every array of a classifier's prototypes by name, the good one among them."""
    good = {f"good {name}": values for name, values in (classifier.good or {}).items()}
    return {name: np.asarray(values) for name, values in (classifier.prototypes | good).items()}


def _provenance(used: dict[str, np.ndarray], again: dict[str, np.ndarray]) -> dict[str, Any]:
    """Whether the arrays used are those made from training records alone, and a digest of what is used."""
    digest, worst = hashlib.sha256(), 0.0
    same = used.keys() == again.keys() and all(used[name].shape == again[name].shape for name in used)
    for name in sorted(used):
        digest.update(np.ascontiguousarray(used[name]).tobytes())
        if same:
            apart = np.abs(used[name] - again[name]).max(initial=0.0)
            worst = max(worst, float(apart / max(np.abs(again[name]).max(initial=0.0), 1e-12)))
    return {"equal": bool(same and worst <= SAME_DISTANCE), "largest_difference": worst, "digest": digest.hexdigest()}


def _leaks(found: dict[str, Any]) -> list[str]:
    shared = sum(pair["records"] for pair in found["overlaps"])
    faults = {
        f"{shared} records stand on two sides": shared,
        f"{found['mislabelled_hashes']} records are not what their hashes say": found["mislabelled_hashes"],
        f"{found['crossing_triplets']} triplets reach into another part": found["crossing_triplets"],
        "the anchors are not the means of the training records": not found["anchors"]["equal"],
        "the prototypes are not those of the training records": not found["prototypes"]["equal"],
    }
    return [text for text, there in faults.items() if there]


def _cuts(found: dict[str, Any]) -> list[str]:
    groups, linked = found["groups"], found["components"]
    cuts = []
    if groups["on_two_sides"]:
        cuts.append(f"{groups['on_two_sides']} of {groups['count']} groups stand on two sides")
    if linked and linked["on_two_sides"] and not groups["count"]:
        cuts.append(
            f"{linked['on_two_sides']} of {linked['linked']} components of linked records stand on two sides; "
            f"the largest holds {linked['largest']} of {linked['records']} records"
        )
    return cuts


def _verdict(found: dict[str, Any], leaks: list[str], cuts: list[str]) -> str:
    if leaks:
        return f"The test is not clean: {'; '.join(leaks)}."
    if cuts:
        return f"No record stands on two sides, but {'; '.join(cuts)}: split by {found['split_by']}."
    kinds = ["record", *["group"] * bool(found["groups"]["count"])]
    if found["components"] and not found["components"]["on_two_sides"]:
        kinds.append("component")
    return f"No {', '.join(kinds[:-1])}{' or ' if kinds[1:] else ''}{kinds[-1]} stands on two sides."
