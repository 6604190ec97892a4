"""How a finished draft becomes a release or a rejected draft: numbered, described, sealed, moved and verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tasks.core.files import ensure_writable, replace_durably
from tasks.core.stages import seal_folder
from tasks.provenance.sbom import Origin, write_sbom
from tasks.registry.champion import champion_state, init_champion_file
from tasks.registry.journal_events import bring_up_to_date
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.release_files import MODEL_FILE
from tasks.registry.releases import Release, read_release, release_folders, require_whole


def place(
    draft: Path, artifacts: Path, manifest: ReleaseManifest, write_pages: Callable[[ReleaseManifest], None]
) -> Release:
    """The release or rejected draft that the folder `draft` became; the caller holds the registry's lock.

    draft: a folder on the same disk, complete but for its manifest and the pages that name the version;
    manifest: all but `version` and `files`; write_pages: writes those pages into `draft`, given the version.

    The draft gets its final name only after it is sealed, so that a killed process leaves the old releases unchanged.
    The journal is brought up to date before, for the manifest names its last entry, and after. Raises UnusableFolder,
    DamagedJournal, and DamagedRelease where what lies under the final name is not what was sealed.
    """
    rejected = manifest.status == "rejected"
    version = manifest.fingerprint[:16] if rejected else next_version(artifacts)
    manifest = replace(manifest, version=version, journal=bring_up_to_date(artifacts).summary())
    write_pages(manifest)
    write_sbom(draft, _origin(manifest), draft / MODEL_FILE)
    seal_folder(draft, manifest.as_json())
    folder = ensure_writable(artifacts / ("drafts" if rejected else "releases")) / version
    if rejected:
        shutil.rmtree(folder, ignore_errors=True)  # the same run, rejected again against another champion
    else:
        init_champion_file(artifacts)
    replace_durably(draft, folder)
    bring_up_to_date(artifacts)
    return require_whole(read_release(folder))  # nobody can have signed it yet


def _origin(manifest: ReleaseManifest) -> Origin:
    sources = {"train": manifest.train, "test": manifest.test}
    named = {role: (source.source, source.revision) for role, source in sources.items() if source is not None}
    return Origin(manifest.version, manifest.fingerprint, manifest.created, named)


def next_version(artifacts: Path) -> str:
    """The name of the next release; the name of a champion that was removed is never given again."""
    names = [*release_folders(artifacts), *champion_state(artifacts).ever]
    return f"v{max((int(name[1:]) for name in names), default=0) + 1}"
