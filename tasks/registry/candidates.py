"""Candidates: models that passed the gate and wait until a person approves or refuses them.

A candidate lies among the releases, sealed, and is no champion. What became of it follows from the pointer and the
journal: an approval is a move of the pointer, a refusal an entry of the journal. Each is one write, so that no killed
process leaves half a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, NotACandidate
from tasks.registry.champion import registry_lock, set_champion
from tasks.registry.journal import Entry
from tasks.registry.journal_events import full_journal, record, utc_now
from tasks.registry.pointer import champion_state
from tasks.registry.releases import Release, get_release, readable_releases, verify_release

State = Literal["waiting", "approved", "promoted", "refused", "superseded", "outdated"]
TEXTS = {
    "waiting": "waits for approval",
    "approved": "was approved",
    "promoted": "was promoted without approval",
    "refused": "was refused",
    "superseded": "was superseded by a newer candidate",
    "outdated": "was compared with a champion that is none any more",
}


@dataclass(frozen=True)
class Candidate:
    """A candidate, and what became of it; decision: the entry of the journal, None where nobody decided."""

    release: Release
    state: State
    decision: Entry | None = None

    @property
    def sentence(self) -> str:
        """What became of it in words, with who decided and why."""
        text = TEXTS[self.state]
        if self.decision is None:
            return text
        why = f": {self.decision.why}" if self.decision.why else ""
        return f"{text} by {self.decision.by or 'somebody'}{why}"


def candidates(artifacts: Path) -> list[Candidate]:
    """Every candidate that ever was, oldest first. Raises DamagedJournal."""
    released = [release for release in readable_releases(artifacts) if release.manifest.status == "candidate"]
    if not released:
        return []
    decisions = {
        entry.subject: entry
        for entry in full_journal(artifacts).entries
        if entry.event in ("approved", "promoted", "refused")
    }
    newest, champion = released[-1].version, champion_state(artifacts)
    return [_candidate(release, decisions.get(release.version), newest, champion.champion) for release in released]


def _candidate(release: Release, decision: Entry | None, newest: str, champion: str | None) -> Candidate:
    if decision is not None:
        return Candidate(release, decision.event, decision)
    if release.version != newest:
        return Candidate(release, "superseded")
    is_fair = release.manifest.compared_with == champion
    return Candidate(release, "waiting" if is_fair else "outdated")


def waiting_candidate(artifacts: Path) -> Candidate | None:
    """The candidate that a person can approve now, if there is one."""
    return next((entry for entry in candidates(artifacts) if entry.state == "waiting"), None)


def find_candidate(artifacts: Path, version: str) -> Candidate:
    """The candidate of that name; raises UnknownRelease, and NotACandidate for a release that never was one."""
    release = get_release(artifacts, version)
    for entry in candidates(artifacts):
        if entry.release.version == release.version:
            return entry
    raise NotACandidate(f"{version}: expected a candidate, found a release that needs no approval; see kensa releases")


def approve(artifacts: Path, version: str, author: Authorship) -> Release:
    """Make a candidate the champion; raises NotACandidate for one that does not wait, or DamagedRelease."""
    _require_reason(author)
    get_release(artifacts, version)  # before the lock, which would make a folder of a mistyped name
    with registry_lock(artifacts):
        entry = find_candidate(artifacts, version)
        if entry.state == "approved" and champion_state(artifacts).champion == version:
            return entry.release
        _require_waiting(entry)
        release = verify_release(entry.release)
        set_champion(artifacts, version, author, "approved")
        return release


def refuse(artifacts: Path, version: str, author: Authorship) -> Release:
    """Write down that a candidate will not be champion. Raises NotACandidate for one that does not wait."""
    _require_reason(author)
    get_release(artifacts, version)
    with registry_lock(artifacts):
        entry = find_candidate(artifacts, version)
        if entry.state != "refused":
            _require_waiting(entry)
            key = f"refused {version} {entry.release.manifest.fingerprint[:16]}"
            values = {"when": utc_now(), "by": author.by, "why": author.why, "run": author.run}
            facts = {"champion": champion_state(artifacts).champion}
            record(artifacts, Entry(event="refused", subject=version, key=key, **values, facts=facts))
        return entry.release


def require_no_candidate(artifacts: Path, release: Release, author: Authorship) -> None:
    """Raise NotACandidate where a candidate is to be promoted without approval, and nobody says why."""
    if release.manifest.status == "candidate" and release.version not in champion_state(artifacts).ever:
        entry = find_candidate(artifacts, release.version)
        if not author.why:
            cure = f"kensa approve {release.version}" if entry.state == "waiting" else "--reason, why it is promoted"
            raise NotACandidate(f"{release.version}: {entry.sentence}; expected {cure}")


def _require_waiting(entry: Candidate) -> None:
    if entry.state != "waiting":
        version = entry.release.version
        raise NotACandidate(
            f"{version}: expected a candidate that waits for approval, but it {entry.sentence}; "
            f"kensa promote {version} --reason TEXT makes it champion all the same"
        )


def _require_reason(author: Authorship) -> None:
    if not author.why:
        raise BadSetting("--reason: expected why, for the journal, found none")
