"""The frozen test sets: each set of test records on which models were judged, named once and for good.

A set is known by the digest of its records (hash, mode, good or not), whatever run or revision it comes
from. A revision that adds, removes or relabels a test record makes another set, with the next name:

    artifacts/frozen.json    {"f1": {"digest", "records", "modes", "source", "revision", "created"}, "f2": …}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.core.errors import DamagedRelease, FrozenSetMoved
from tasks.core.files import CHECKSUM_KEY, add_checksum, checksum_matches, digest_of, write_json

if TYPE_CHECKING:
    from tasks.data.bank import Bank  # numpy, which listing the sets must not wait for

FROZEN_FILE = "frozen.json"


def frozen_sets(artifacts: Path) -> dict[str, dict[str, Any]]:
    """Every frozen set by its name, oldest first; DamagedRelease where the file cannot be read."""
    path = artifacts / FROZEN_FILE
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text())
        if not isinstance(known, dict) or (CHECKSUM_KEY in known and not checksum_matches(known)):
            raise ValueError("not as it was sealed")
        known.pop(CHECKSUM_KEY, None)  # those of before have none
        return {name: known[name] for name in sorted(known, key=lambda name: int(name[1:])) if known[name]["digest"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DamagedRelease(
            f"{path}: expected JSON that names each frozen set with its digest, as it was written; "
            "restore it from a backup"
        ) from None


def digest_of_test(bank: Bank) -> str:
    """SHA-256 (hex) of the test records' hashes, modes and whether they are good, in no order."""
    rows = bank.rows("test")
    modes = [bank.modes[code] for code in bank.mode[rows].tolist()]
    hashes = [key.decode() for key in bank.hash[rows].tolist()]
    return digest_of("frozen", sorted(zip(hashes, modes, bank.good[rows].tolist(), strict=True)))


def identify_frozen_set(bank: Bank, artifacts: Path) -> dict[str, Any]:
    """The bank's test set: `version`, `digest`, `records` and `modes` (how many).

    One that no run was judged on before gets the next name, which `keep` writes down.
    """
    digest, known = digest_of_test(bank), frozen_sets(artifacts)
    rows = bank.rows("test")
    named = next((name for name, one in known.items() if one["digest"] == digest), None)
    version = named or f"f{max((int(name[1:]) for name in known), default=0) + 1}"
    return {"version": version, "digest": digest, "records": len(rows), "modes": len(set(bank.mode[rows].tolist()))}


def register_frozen_set(artifacts: Path, frozen: dict[str, Any], facts: dict[str, Any], created: str) -> None:
    """Write the set's name down; the caller holds the lock. FrozenSetMoved where another set has got it."""
    known, name = frozen_sets(artifacts), frozen["version"]
    if known.get(name, frozen)["digest"] != frozen["digest"]:
        raise FrozenSetMoved(
            f"{artifacts / FROZEN_FILE}: another run gave the name {name} to its own test set; run again"
        )
    if name in known:
        return
    source = facts["test"] or facts["train"]
    told = {key: frozen[key] for key in ("digest", "records", "modes")}
    told |= {"source": source["source"], "revision": source["revision"], "created": created}
    write_json(artifacts / FROZEN_FILE, add_checksum({**known, name: told}))
