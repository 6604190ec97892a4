"""The frozen test sets: each set of test records on which models were evaluated has a name that never changes.

A set is known by the digest of its records (hash, mode, good or not), whatever run or revision it comes
from. A revision that adds, removes or relabels a test record makes another set, with the next name:

    artifacts/frozen.json    {"f1": {"digest", "records", "modes", "source", "revision", "created", "comparisons"}, …}

`comparisons` names the models that were compared on the set with each champion, by the first 16 digits of their
digests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.errors import DamagedRelease, FrozenSetMoved
from tasks.core.files import CHECKSUM_KEY, add_checksum, checksum_matches, digest_of, write_json
from tasks.registry.manifest import FrozenSet, SourceSummary

if TYPE_CHECKING:
    from tasks.data.bank import Bank  # numpy, which listing the sets must not wait for

FROZEN_FILE = "frozen.json"
DIGITS = 16  # of a model's digest


def frozen_sets(artifacts: Path) -> dict[str, dict[str, Any]]:
    """Every frozen set as it is stored, by its name, oldest first; DamagedRelease where the file cannot be read."""
    path = artifacts / FROZEN_FILE
    if not path.exists():
        return {}
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(sets, dict) or (CHECKSUM_KEY in sets and not checksum_matches(sets)):
            raise ValueError("it differs from its checksum")
        sets.pop(CHECKSUM_KEY, None)  # the oldest files have none
        return {name: sets[name] for name in sorted(sets, key=lambda name: int(name[1:])) if sets[name]["digest"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DamagedRelease(
            f"{path}: expected JSON that names each frozen set with its digest, as it was written; "
            "restore it from a backup"
        ) from None


def digest_of_test(bank: Bank) -> str:
    """SHA-256 (hex) of the test records' hashes, modes and whether they are good, whatever their order."""
    rows = bank.rows("test")
    modes = [bank.modes[code] for code in bank.mode[rows].tolist()]
    hashes = [key.decode() for key in bank.hash[rows].tolist()]
    return digest_of("frozen", sorted(zip(hashes, modes, bank.good[rows].tolist(), strict=True)))


def identify_frozen_set(bank: Bank, artifacts: Path) -> FrozenSet:
    """The bank's test set, under the name that it has; a new set gets the next name, which is not written down yet."""
    digest, sets, rows = digest_of_test(bank), frozen_sets(artifacts), bank.rows("test")
    names = [name for name, entry in sets.items() if entry["digest"] == digest]
    version = names[0] if names else f"f{max((int(name[1:]) for name in sets), default=0) + 1}"
    return FrozenSet(version=version, digest=digest, records=len(rows), modes=len(set(bank.mode[rows].tolist())))


def register_frozen_set(artifacts: Path, frozen: FrozenSet, source: SourceSummary, created: str) -> None:
    """Write the set's name down, with the source of its records and the time; the caller holds the lock.

    Raises FrozenSetMoved where another set has the name by now.
    """
    sets = frozen_sets(artifacts)
    if frozen.version in sets:
        if sets[frozen.version]["digest"] != frozen.digest:
            raise FrozenSetMoved(
                f"{artifacts / FROZEN_FILE}: another run gave the name {frozen.version} to its own test set; run again"
            )
        return
    entry = {"digest": frozen.digest, "records": frozen.records, "modes": frozen.modes}
    entry |= {"source": source.source, "revision": source.revision, "created": created}
    write_json(artifacts / FROZEN_FILE, add_checksum({**sets, frozen.version: entry}))


def comparison_number(artifacts: Path, champion: str, model: str) -> int:
    """Which comparison with the champion that of a model is, from 1; `model` is the digest of its stage.

    All sets count: the next set shares most of its records. A model that was compared before is not counted twice.
    """
    compared = {name for entry in frozen_sets(artifacts).values() for name in _compared_with(entry, champion)}
    return 1 + len(compared - {model[:DIGITS]})


def count_comparison(artifacts: Path, frozen: str, champion: str, model: str) -> None:
    """Write down that a model was compared with the champion on a set; the caller holds the lock."""
    sets = frozen_sets(artifacts)
    names = _compared_with(sets[frozen], champion)
    if model[:DIGITS] in names:
        return
    comparisons = sets[frozen].get("comparisons", {}) | {champion: [*names, model[:DIGITS]]}
    sets[frozen] = sets[frozen] | {"comparisons": comparisons}
    write_json(artifacts / FROZEN_FILE, add_checksum(sets))


def _compared_with(entry: dict[str, Any], champion: str) -> list[str]:
    return entry.get("comparisons", {}).get(champion, [])
