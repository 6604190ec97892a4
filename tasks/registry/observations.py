"""What was seen of a release after it was made: error rates where labels came later, and the verdicts on drift.

    artifacts/observations/<digest>.json    one observation, sealed

The same look at the same revision by the same release is kept once, with its first time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tasks.core.errors import UnusableFolder
from tasks.core.files import add_checksum, checksum_matches, digest_of, ensure_writable, write_json
from tasks.core.json_form import Json, record_of
from tasks.core.progress import note_line
from tasks.core.text import one_line
from tasks.registry.journal_events import utc_now
from tasks.registry.releases import Release

FOLDER = "observations"
Kind = Literal["labels", "drift"]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One look at a release with parts that it was not made with.

    kind: `labels`, with `false_alarms` and `escapes` in facts, a Proportion's fields each or None; or `drift`, with
    `status` and `records`. when: UTC; release and fingerprint: which model; source, revision: which parts.
    """

    kind: Kind
    when: str
    release: str
    fingerprint: str
    source: str
    revision: str
    facts: Json = field(default_factory=dict)
    seal: str = ""


def keep_observation(artifacts: Path, release: Release, kind: Kind, source: str, revision: str, facts: Json) -> None:
    """Keep an observation, unless it is there; what cannot be kept is told, and fails nothing."""
    fingerprint = release.manifest.fingerprint
    name = f"{digest_of('observation', kind, release.version, fingerprint, source, revision)[:32]}.json"
    path = artifacts / FOLDER / name
    if path.exists() or not artifacts.is_dir():
        return
    origin = {"release": release.version, "fingerprint": fingerprint[:16], "source": source, "revision": revision}
    entry = Observation(kind=kind, when=utc_now(), facts=facts, **origin)
    values = {name: value for name, value in asdict(entry).items() if name != "seal"}
    try:
        ensure_writable(path.parent)
        write_json(path, add_checksum(values))
    except (OSError, UnusableFolder) as error:  # a release may be read-only for those who score with it
        note_line(f"{path.parent}: not kept for kensa history ({one_line(error)})")


def observations(artifacts: Path) -> list[Observation]:
    """Every observation, oldest first; one line tells of a file that is not as it was written, which is left out."""
    read = map(_read, sorted((artifacts / FOLDER).glob("*.json")))
    return sorted((entry for entry in read if entry is not None), key=lambda entry: entry.when)


def _read(path: Path) -> Observation | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or not checksum_matches(values):
            raise ValueError("it differs from its checksum")
        return record_of(Observation, values)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        note_line(f"{path}: expected an observation as it was written, left out ({one_line(error)}); remove it")
        return None
