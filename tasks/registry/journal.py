"""The journal of a line: what became of its models, when, by whom and why; entries are appended and never changed.

artifacts/journal.jsonl       an entry a line, with the seal of the entry before it and its own
artifacts/journal-head.json   {"entries": 12, "head": <seal of the last entry>, "seal": …}

An entry that was changed, removed or moved breaks the chain of seals, and the head says how far the chain reached. The
head is written after the entry: a process that is killed in between leaves an entry, or half of one, beyond the head.
Half an entry is removed by whoever writes next, and written again: what happened is known from the registry
(tasks/registry/journal_events.py).
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.core.errors import DamagedJournal
from tasks.core.files import (
    CHECKSUM_KEY,
    add_checksum,
    append_durably,
    checksum_matches,
    translate_disk_errors,
    write_json,
    write_text,
)
from tasks.core.json_form import Json, record_of

JOURNAL_FILE, HEAD_FILE = "journal.jsonl", "journal-head.json"
CURE = f"restore it from a backup, or move it and {HEAD_FILE} away: the next begins with what the registry knows"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened.

    event: such as `released`; subject: the release, draft or part that it happened to; key: the same for the same
    event, by which nothing is written twice; when: UTC, None where it is not known; by: a name, None where it is not
    known; why: a reason; run: the id of Prefect's run; facts: what belongs to the event; was: the seal that the entry
    had before the journals of two machines were joined.
    """

    event: str
    subject: str
    key: str
    when: str | None = None
    by: str | None = None
    why: str = ""
    run: str | None = None
    facts: Json = field(default_factory=dict)
    was: str | None = None
    number: int = 0
    previous: str = ""
    seal: str = ""

    def as_json(self) -> Json:
        """The entry as it is stored, sealed."""
        values = {name: value for name, value in vars(self).items() if name != CHECKSUM_KEY and value is not None}
        return add_checksum(values)


@dataclass(frozen=True)
class Journal:
    """The entries, oldest first; half: whether a killed process left half an entry after them; known: as in the head.

    size: bytes of the entries.
    """

    entries: tuple[Entry, ...] = ()
    half: bool = False
    known: int | None = None
    size: int = 0

    @property
    def head(self) -> str:
        """The seal of the last entry; empty before the first."""
        return self.entries[-1].seal if self.entries else ""

    @property
    def seals(self) -> frozenset[str]:
        """The seals of all entries, also those from before two journals were joined."""
        return frozenset(seal for entry in self.entries for seal in (entry.seal, entry.was) if seal)

    @property
    def keys(self) -> frozenset[str]:
        """What is written down."""
        return frozenset(entry.key for entry in self.entries)

    def summary(self) -> Json:
        """How far the journal reached, as a release's manifest keeps it."""
        return {"entries": len(self.entries), "head": self.head}


def read_journal(artifacts: Path) -> Journal:
    """The journal, every seal checked; empty where there is none yet. Raises DamagedJournal."""
    path = artifacts / JOURNAL_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise DamagedJournal(f"{path}: cannot be read ({error.strerror}); correct its permissions") from None
    heads = _read_heads(artifacts)
    if not heads and content:
        raise DamagedJournal(f"{artifacts / HEAD_FILE}: expected the head of the journal, found none; {CURE}")
    for head in heads[1:]:
        with contextlib.suppress(DamagedJournal):
            return _checked(path, content, head)
    return _checked(path, content, heads[0] if heads else None)


def parse_journal(name: str, content: bytes) -> Journal:
    """The journal in the bytes of a whole file, as a store has it; raises DamagedJournal."""
    journal = _checked(Path(name), content, None)
    if journal.half:
        raise DamagedJournal(f"{name}: entry {len(journal.entries) + 1} is not as it was written; restore it")
    return journal


def _checked(path: Path, content: bytes, head: tuple[int, str] | None) -> Journal:
    """The journal in the file's bytes, as far as it is chained; DamagedJournal where it does not fit the head."""
    count, seal = head or (0, "")
    *lines, rest = content.split(b"\n")
    entries = _chained(path, lines, count)
    if len(entries) < count:
        raise DamagedJournal(f"{path}: expected {count} entries, found {len(entries)}: its end was cut; {CURE}")
    if count and entries[count - 1].seal != seal:
        raise DamagedJournal(f"{path}: entry {count} is not the one that {HEAD_FILE} names; {CURE}")
    size = sum(len(line) + 1 for line in lines[: len(entries)])
    half = bool(rest) or len(entries) < len(lines)
    return Journal(entries, half, None if head is None else count, size)


def _chained(path: Path, lines: Sequence[bytes], count: int) -> tuple[Entry, ...]:
    """The entries as far as they are chained; DamagedJournal for one that the head counts and that is not."""
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        entry = _parse(line)
        previous = entries[-1].seal if entries else ""
        if entry is None or (entry.number, entry.previous) != (number, previous):
            if number > count:
                break  # what a killed process left
            problem = "is not as it was written" if entry is None else "does not follow the one before it"
            raise DamagedJournal(f"{path}: entry {number} {problem}; {CURE}")
        entries.append(entry)
    return tuple(entries)


@functools.lru_cache(maxsize=4096)  # a review reads the journal with each decision
def _parse(line: bytes) -> Entry | None:
    """The entry of a line; None where a byte of it was changed."""
    try:
        values = json.loads(line)
        if not isinstance(values, dict) or not checksum_matches(values) or _line(values) != line:
            return None
        return record_of(Entry, values)
    except (ValueError, TypeError, RecursionError):
        return None


def _line(values: Json) -> bytes:
    return json.dumps(values, separators=(",", ":"), allow_nan=False).encode()


def _read_heads(artifacts: Path) -> list[tuple[int, str]]:
    """How many entries were written, and the seal of the last; none where there is no head.

    Two while the journals of two machines are joined: the second is that of the joined one.
    """
    path = artifacts / HEAD_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not checksum_matches(values):
            raise ValueError("it differs from its checksum")
        return [(int(head["entries"]), str(head["head"])) for head in (values, values.get("joined")) if head]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedJournal(f"{path}: expected the head of the journal, as it was written; {CURE}") from None


def append(artifacts: Path, journal: Journal, entries: Sequence[Entry]) -> Journal:
    """The journal with more entries, on the disk; the caller holds the registry's lock, and has read `journal`.

    Raises UnusableFolder, after which the journal is as before, or has half an entry that the next writer removes.
    """
    chained = chain(journal, entries)
    added = chained.entries[len(journal.entries) :]
    lines = [_line(entry.as_json()) + b"\n" for entry in added]
    with translate_disk_errors(artifacts):
        if journal.known is None:  # first of all, so that a journal without a head is a damaged one
            write_json(artifacts / HEAD_FILE, add_checksum(Journal().summary()))
        append_durably(artifacts / JOURNAL_FILE, journal.size, b"".join(lines))
        if journal.known != len(chained.entries) or added:
            write_json(artifacts / HEAD_FILE, add_checksum(chained.summary()))
    size = journal.size + sum(map(len, lines))
    return Journal(chained.entries, half=False, known=len(chained.entries), size=size)


def chain(journal: Journal, entries: Sequence[Entry]) -> Journal:
    """The journal with more entries, numbered and sealed, in memory."""
    chained = list(journal.entries)
    for entry in entries:
        previous = chained[-1].seal if chained else ""
        numbered = replace(entry, number=len(chained) + 1, previous=previous)
        chained.append(replace(numbered, seal=numbered.as_json()[CHECKSUM_KEY]))
    return replace(journal, entries=tuple(chained))


def join(artifacts: Path, ours: Journal, theirs: Journal) -> Journal:
    """Their journal with those of our entries that it lacks after it, on the disk; the caller holds the lock.

    Each of these keeps its former seal as `was`, which the cards of releases name.
    """
    if ours.entries[: len(theirs.entries)] == theirs.entries:
        return ours
    lacking = [entry for entry in ours.entries if entry.key not in theirs.keys]
    joined = chain(theirs, [replace(entry, was=entry.was or entry.seal) for entry in lacking])
    content = b"".join(_line(entry.as_json()) + b"\n" for entry in joined.entries)
    both = {**ours.summary(), "joined": joined.summary()}
    write_json(artifacts / HEAD_FILE, add_checksum(both))  # either journal fits it, until the new one has its name
    write_text(artifacts / JOURNAL_FILE, content.decode())
    write_json(artifacts / HEAD_FILE, add_checksum(joined.summary()))
    return Journal(joined.entries, False, len(joined.entries), len(content))
