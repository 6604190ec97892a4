"""What the registry knows and the journal does not say yet: each release and draft, each signature, the last move.

Nothing is written to the journal but from here. A manifest and the pointer say who made them, when and why, and both
are on the disk before the journal is written: whatever kills a process in between, the next writer finds the event in
the registry, and its key tells what is written down already. What deletes files first writes what it will delete into
`journal-pending.json`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.core.authorship import Authorship
from tasks.core.errors import DamagedJournal
from tasks.core.files import add_checksum, checksum_matches, digest_of, file_digest, translate_disk_errors, write_json
from tasks.core.json_form import Json, record_of
from tasks.provenance.signatures import SIGNATURES, SUFFIX
from tasks.registry.journal import Entry, Journal, append, chain, read_journal
from tasks.registry.pointer import CHAMPION_FILE, champion_state
from tasks.registry.releases import Release, readable_releases, rejected_drafts

PENDING_FILE = "journal-pending.json"
MOVES = ("promoted", "approved", "rolled back")  # the events that move the pointer


def utc_now() -> str:
    """The present time as an entry has it, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def bring_up_to_date(artifacts: Path) -> Journal:
    """The journal, after everything that the registry knows was written to it; the caller holds the registry's lock.

    Raises DamagedJournal, after which nothing was written, and UnusableFolder.
    """
    journal = read_journal(artifacts)
    if lacking := _lacking(artifacts, journal):
        journal = append(artifacts, journal, lacking)
    elif journal.half or (journal.known or 0) < len(journal.entries):
        journal = append(artifacts, journal, [])  # what a killed process left
    with translate_disk_errors(artifacts):
        (artifacts / PENDING_FILE).unlink(missing_ok=True)
    return journal


def full_journal(artifacts: Path) -> Journal:
    """The journal with what the next writer will add to it; nothing is written. Raises DamagedJournal."""
    journal = read_journal(artifacts)
    return chain(journal, _lacking(artifacts, journal))


def record(artifacts: Path, *entries: Entry) -> Journal:
    """Write events that only the journal holds, unless they are there; the caller holds the registry's lock."""
    journal = bring_up_to_date(artifacts)
    lacking = [entry for entry in entries if entry.key not in journal.keys]
    return append(artifacts, journal, lacking) if lacking else journal


def record_signature(artifacts: Path, signature: Path, author: Authorship) -> Journal:
    """Write that a release was signed, and by whom, which the signature does not say; the caller holds the lock.

    `bring_up_to_date` was called before there was this signature. Without this entry it writes one without a name.
    """
    values = {"when": utc_now(), "by": author.by, "why": author.why, "run": author.run}
    return append(artifacts, read_journal(artifacts), [replace(_of_signature(signature), **values)])


def announce(artifacts: Path, entry: Entry) -> None:
    """Note what is about to be deleted: its names stand in `facts["paths"]`, relative to the folder.

    The next call of `bring_up_to_date` writes the entry, with the names of what is gone by then.
    """
    write_json(artifacts / PENDING_FILE, add_checksum(vars(entry)))


def verify_journal(artifacts: Path) -> Journal:
    """The journal, every seal checked, and that each release's manifest names an entry of it; raises DamagedJournal."""
    journal = full_journal(artifacts)
    known = journal.seals | {seal for entry in journal.entries for seal in entry.facts.get("heads", {}).values()}
    for release in (*readable_releases(artifacts), *rejected_drafts(artifacts)):
        head = _head_of(release)
        if head and head not in known:
            raise DamagedJournal(
                f"{release.path}: expected its journal's head {head[:12]} among the entries, found none: "
                "the journal is another one, or was written anew; restore it from a backup"
            )
    return journal


def _head_of(release: Release) -> str:
    """The seal of the last entry when the release was made; empty where there was none."""
    return (release.manifest.journal or {}).get("head", "")


def _lacking(artifacts: Path, journal: Journal) -> list[Entry]:
    """What is not written down, in the order in which it happened."""
    of_models = [*map(_of_release, readable_releases(artifacts)), *map(_of_release, rejected_drafts(artifacts))]
    entries = [*of_models, *_of_pointer(artifacts, journal), *_of_pending(artifacts)]
    entries += map(_of_signature, sorted((artifacts / SIGNATURES).glob(f"v*{SUFFIX}")))
    lacking = sorted((entry for entry in entries if entry.key not in journal.keys), key=lambda entry: entry.when or "")
    if journal.entries or not lacking or (len(lacking) == 1 and not _head_of_any(artifacts)):
        return lacking
    return [*_beginning(artifacts), *lacking]


def _head_of_any(artifacts: Path) -> bool:
    return any(map(_head_of, readable_releases(artifacts)))


def _beginning(artifacts: Path) -> Iterator[Entry]:
    """That there were releases before there was a journal, and which heads of a former one they name."""
    heads = {release.version: head for release in readable_releases(artifacts) if (head := _head_of(release))}
    why = "there was no journal; what the registry knows follows"
    yield Entry(event="began", subject="", key="began", when=utc_now(), why=why, facts={"heads": heads})


def _of_release(release: Release) -> Entry:
    """What its manifest says; `by` is not known of one that an earlier version made."""
    manifest = release.manifest
    authorship = manifest.made or {}
    event = manifest.made_by
    facts: dict[str, Any] = {
        "source": manifest.train.source,
        "revision": manifest.train.revision,
        "compared_with": manifest.compared_with,
        "fingerprint": manifest.fingerprint[:16],
    }
    if manifest.parent_version:
        facts["parent"] = manifest.parent_version
    return Entry(
        event=event,
        subject=release.version,
        key=f"{event} {release.version} {manifest.fingerprint[:16]} {manifest.created}",
        when=manifest.created,
        by=authorship.get("by"),
        why=authorship.get("why") or _verdict(release),
        run=authorship.get("run"),
        facts=facts,
    )


def _verdict(release: Release) -> str:
    """Why the gate decided as it did."""
    manifest = release.manifest
    if manifest.reasons:
        return "; ".join(manifest.reasons)
    if manifest.recalibrated:
        return f"another threshold by {manifest.recalibrated.get('rule')}"
    return str((manifest.comparison or {}).get("verdict") or "the first of its line")


def _of_pointer(artifacts: Path, journal: Journal) -> Iterator[Entry]:
    """The last move; one by an earlier version of Kensa, which did not say how, where the journal names another."""
    if not (artifacts / CHAMPION_FILE).exists():
        return
    state = champion_state(artifacts)
    if state.champion is None:
        return
    if (moved := state.moved) is not None:
        key = f"{moved.event} {state.champion} {moved.when}"
        facts = {"before": moved.before}
        values = {"when": moved.when, "by": moved.by, "why": moved.why, "run": moved.run}
        yield Entry(event=moved.event, subject=state.champion, key=key, **values, facts=facts)
    elif state.champion != last_champion(journal):
        key = f"promoted {state.champion} {digest_of(list(state.history))[:16]}"
        yield Entry(event="promoted", subject=state.champion, key=key, when=None, facts={})


def last_champion(journal: Journal) -> str | None:
    """The champion that the journal names last."""
    return next((entry.subject for entry in reversed(journal.entries) if entry.event in MOVES), None)


def _of_signature(path: Path) -> Entry:
    """That a release has this signature, at the latest since its file was written."""
    version, digest = path.name.removesuffix(SUFFIX), file_digest(path)
    when = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).isoformat(timespec="milliseconds")
    facts = {"signature": digest}
    return Entry(event="signed", subject=version, key=f"signed {version} {digest[:16]}", when=when, facts=facts)


def _of_pending(artifacts: Path) -> Iterator[Entry]:
    """What a deletion was about to remove, and is gone."""
    path = artifacts / PENDING_FILE
    try:
        values: Json = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError):
        values = {}
    if not isinstance(values, dict) or not checksum_matches(values):
        raise DamagedJournal(f"{path}: expected JSON as it was written; remove it: what it names may be deleted")
    entry = record_of(Entry, values)
    gone = [name for name in entry.facts["paths"] if not (artifacts / name).exists()]
    if gone:
        yield replace(entry, seal="", facts={**entry.facts, "paths": gone})
