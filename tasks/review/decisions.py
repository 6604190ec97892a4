"""What reviewers decided, kept as it is decided: a file that only grows, for as many people as look at once.

    artifacts/review/decisions.jsonl    a decision a line, sealed, with the part's map; a later one of a record stands

A process that is killed leaves half a line at most, which the next one removes. Each decision is written to the line's
journal, too; one that a killed process did not write there is written with the next, or when a review begins.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from tasks.core.errors import DamagedDecisions, DecidedMeanwhile
from tasks.core.files import (
    CHECKSUM_KEY,
    add_checksum,
    append_durably,
    checksum_matches,
    ensure_writable,
    inherit_group_write,
    translate_disk_errors,
)
from tasks.core.json_form import Json, record_of
from tasks.registry.champion import registry_lock
from tasks.registry.journal import Entry, read_journal
from tasks.registry.journal_events import record, utc_now
from tasks.sources.decided_labels import DecidedLabel

FOLDER, FILE = "review", "decisions.jsonl"
PUBLISHED = "labels published"  # the journal's event


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person said of a part. mode: None takes back what was said before.

    record: hash of its map in hex; map: base64 of its float32 values; kind: why the part was shown; picked: `random`
    or `chosen`; new: the training source has no such record; when: UTC; number: from 1, in the file.
    """

    record: str
    map: str
    mode: str | None
    label: str | None
    by: str
    kind: str
    picked: str
    new: bool
    part: str | None = None
    group: str | None = None
    was_label: str | None = None
    was_mode: str | None = None
    when: str = ""
    number: int = 0
    seal: str = ""

    @property
    def key(self) -> str:
        """By which the journal knows it."""
        return f"label decided {self.number} {self.seal[:16]}"

    def as_label(self) -> DecidedLabel:
        """As the dataset keeps it; the decision is not one that takes back."""
        values = np.frombuffer(base64.b64decode(self.map), np.float32)
        names = ("label", "mode", "picked", "new", "by", "when", "group", "part", "was_label", "was_mode")
        return DecidedLabel(values, **{name: getattr(self, name) for name in names})

    def as_entry(self) -> Entry:
        """As the journal keeps it."""
        change = "taken back" if self.mode is None else f"{self.was_mode or 'no mode'} → {self.mode}"
        facts = {"record": self.record, "mode": self.mode, "was": self.was_mode, "kind": self.kind}
        subject = self.part or self.record[:16]
        return Entry(
            event="label decided", subject=subject, key=self.key, when=self.when, by=self.by, why=change, facts=facts
        )


def map_text(values: np.ndarray) -> str:
    """A map (values,) as a decision keeps it."""
    return base64.b64encode(np.ascontiguousarray(values, np.float32).tobytes()).decode()


def decide(artifacts: Path, decision: Decision, known: int) -> Decision:
    """Write a decision down, and return it with its number and time.

    known: how many decisions of the record the person had seen. Raises DecidedMeanwhile where there are more,
    DamagedDecisions, DamagedJournal, and UnusableFolder; then nothing is written.
    """
    with lock_decisions(artifacts):
        read_journal(artifacts)  # a decision that could not be written down is refused first
        decisions, size = _read(artifacts)
        mine = [entry for entry in decisions if entry.record == decision.record]
        if len(mine) > known:
            raise DecidedMeanwhile(_meanwhile(mine[-1]))
        numbered = replace(decision, number=len(decisions) + 1, when=utc_now(), seal="")
        sealed = replace(numbered, seal=_sealed(numbered)[CHECKSUM_KEY])
        _append(artifacts, size, sealed)
        with registry_lock(artifacts):
            record(artifacts, *(entry.as_entry() for entry in (*decisions, sealed)))
        return sealed


def write_down(artifacts: Path) -> None:
    """Write the decisions to the journal that a killed process did not write there."""
    if not (artifacts / FOLDER / FILE).exists():
        return
    with lock_decisions(artifacts):
        entries = [entry.as_entry() for entry in decisions_of(artifacts)]
        with registry_lock(artifacts):
            record(artifacts, *entries)


def _meanwhile(last: Decision) -> str:
    what = "took the decision back" if last.mode is None else f"decided {last.mode}"
    return f"{last.by} {what} meanwhile; decide again to replace it"


def decisions_of(artifacts: Path) -> list[Decision]:
    """All decisions, oldest first; raises DamagedDecisions."""
    return _read(artifacts)[0]


def standing(decisions: Sequence[Decision]) -> dict[str, Decision]:
    """The decision that stands for each record; none where it was taken back."""
    last = {entry.record: entry for entry in decisions}
    return {record: entry for record, entry in last.items() if entry.mode is not None}


def unpublished(artifacts: Path) -> list[Decision]:
    """The standing decisions that the dataset does not have yet, oldest first."""
    through = published_through(artifacts)
    return sorted(
        (entry for entry in standing(decisions_of(artifacts)).values() if entry.number > through),
        key=lambda entry: entry.number,
    )


def published_through(artifacts: Path) -> int:
    """The number of the last decision that was published, as the journal says; 0 before the first."""
    entries = read_journal(artifacts).entries
    return max((int(entry.facts["through"]) for entry in entries if entry.event == PUBLISHED), default=0)


def lock_decisions(artifacts: Path) -> FileLock:
    """The lock under which decisions are written, held until the end of a `with`."""
    path = ensure_writable(artifacts / FOLDER) / ".lock"
    with translate_disk_errors(path):
        if not path.exists():
            path.touch()
            inherit_group_write(path)
        return FileLock(path).acquire()


def _read(artifacts: Path) -> tuple[list[Decision], int]:
    """The decisions and how many bytes they have; half a line at the end, which a killed process left, is none."""
    path = artifacts / FOLDER / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise DamagedDecisions(f"{path}: cannot be read ({error.strerror}); correct its permissions") from None
    *lines, rest = content.split(b"\n")
    decisions = [_parse(path, number, line) for number, line in enumerate(lines, 1)]
    return decisions, len(content) - len(rest)


def _parse(path: Path, number: int, line: bytes) -> Decision:
    decision = _parse_line(line)
    if decision is None or decision.number != number:
        raise DamagedDecisions(f"{path}: decision {number} is not as it was written; restore the file from a backup")
    return decision


@functools.lru_cache(maxsize=4096)  # 32 MB; every answer reads the whole file again
def _parse_line(line: bytes) -> Decision | None:
    """The decision of a line; None where a byte of it was changed."""
    try:
        values = json.loads(line)
        if not isinstance(values, dict) or not checksum_matches(values):
            return None
        return record_of(Decision, values)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _sealed(decision: Decision) -> Json:
    return add_checksum({name: value for name, value in asdict(decision).items() if name != CHECKSUM_KEY})


def _append(artifacts: Path, size: int, decision: Decision) -> None:
    """Write after the first `size` bytes, and bring it to the disk."""
    path = artifacts / FOLDER / FILE
    line = json.dumps(_sealed(decision), separators=(",", ":"), allow_nan=False).encode() + b"\n"
    with translate_disk_errors(path):
        append_durably(path, size, line)
