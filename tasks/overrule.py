"""Makes a release of a draft that the gate rejected, because a person wants it; everything that shows it says so.

The draft stays. The release keeps the reasons of the rejection, and its manifest, card, report and journal say who
promoted it, and why.
"""

from __future__ import annotations

import datetime
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.core.files import ensure_writable
from tasks.core.stages import MANIFEST, scratch_folder, verified_manifest
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.registry.champion import registry_lock, set_champion
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.placement import place
from tasks.registry.release_files import CARD_FILE, REPORT_PAGE, read_report
from tasks.registry.releases import Release, readable_releases, rejected_drafts, verify_release
from tasks.report.model_card import model_card
from tasks.report.notice import add_notice

LEAST_DIGITS = 6  # of a draft's name


def promote_draft(artifacts: Path, name: str, author: Authorship) -> Release:
    """Make a release of a rejected draft, and make it champion: a person overrules the gate.

    name: the draft's, or the first digits of it; author: who, and why. The release keeps the reasons of the rejection.
    Raises BadSetting without a reason, UnknownRelease, and what `verify_release` does.
    """
    draft = verify_release(find_draft(artifacts, name))
    if not author.why:
        raise BadSetting(f"{name}: expected --reason, why the gate is overruled, found none")
    overruled = {"by": author.by, "why": author.why, "draft": draft.version}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    changes = {"status": "released", "created": created, "made": asdict(author), "overruled": overruled}
    with scratch_folder(ensure_writable(artifacts), "draft") as folder:
        shutil.copytree(draft.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST, CARD_FILE))
        report = EvaluationReport.from_json(read_report(folder))
        with registry_lock(artifacts):
            release = _overruled(artifacts, draft) or place(
                folder,
                artifacts,
                replace(draft.manifest, **changes),
                lambda numbered: _write_overruled(folder, numbered, report),
            )
            set_champion(artifacts, release.version, author)
            return release


def find_draft(artifacts: Path, name: str) -> Release:
    """The rejected draft whose name begins so; UnknownRelease where there is none, or more than one."""
    drafts = [draft for draft in rejected_drafts(artifacts) if draft.version.startswith(name)]
    if len(drafts) == 1 and len(name) >= LEAST_DIGITS:
        return drafts[0]
    names = ", ".join(draft.version for draft in rejected_drafts(artifacts)[-3:]) or "none"
    raise UnknownRelease(
        f"{name}: expected {LEAST_DIGITS} digits or more of one rejected draft; the newest are {names}"
    )


def _overruled(artifacts: Path, draft: Release) -> Release | None:
    """The release that was made of the draft before."""
    for release in readable_releases(artifacts):
        overruled = release.manifest.overruled
        if overruled and overruled["draft"] == draft.version and verified_manifest(release.path):
            return release
    return None


def _write_overruled(folder: Path, manifest: ReleaseManifest, report: EvaluationReport) -> None:
    """The card, and the notice on the report's page."""
    (folder / CARD_FILE).write_text(model_card(manifest, report), encoding="utf-8")
    page = folder / REPORT_PAGE
    page.write_text(add_notice(page.read_text(encoding="utf-8"), manifest, manifest.language), encoding="utf-8")
