"""Reviewers' decisions in a store that several machines share: the file only grows, and the longer one is copied.

Where both sides have decisions that the other lacks, neither file is touched, and one line says so.
"""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import ChampionMoved
from tasks.core.files import ensure_writable, write_bytes
from tasks.core.progress import note_line
from tasks.review.decisions import FILE, FOLDER, decisions_of, lock_decisions
from tasks.sources.object_store import ObjectChanged, ObjectStore, translate_store_errors

NAME = f"artifacts/{FOLDER}/{FILE}"  # in the store


def push_decisions(artifacts: Path, address: str) -> None:
    """Send the decisions that the store lacks; raises ChampionMoved where another machine sends at the same time."""
    place = artifacts / FOLDER / FILE
    if not place.exists():
        return
    with translate_store_errors(address), lock_decisions(artifacts):
        decisions_of(artifacts)  # DamagedDecisions, before anything is sent
        store = ObjectStore(address)
        version, ours = store.version(NAME), _whole_lines(place)
        theirs = store.read(NAME) or b""
        if ours.startswith(theirs) and ours != theirs:
            try:
                store.write_unchanged(NAME, ours, version)
            except ObjectChanged:
                raise ChampionMoved(
                    f"{store.root}: another machine has pushed decisions meanwhile; pull first"
                ) from None
        elif not theirs.startswith(ours):
            _note_both(address)


def pull_decisions(artifacts: Path, address: str) -> None:
    """Fetch the decisions that are not here."""
    with translate_store_errors(address):
        theirs = ObjectStore(address).read(NAME)
        if not theirs:
            return
        place = ensure_writable(artifacts / FOLDER) / FILE
        with lock_decisions(artifacts):
            ours = _whole_lines(place) if place.exists() else b""
            if theirs.startswith(ours) and theirs != ours:
                write_bytes(place, theirs)
            elif not ours.startswith(theirs):
                _note_both(address)


def _whole_lines(path: Path) -> bytes:
    """The file without half a line that a killed process left."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _note_both(address: str) -> None:
    note_line(f"{address}: reviewers decided here and elsewhere; publish the decisions on each machine (kensa review)")
