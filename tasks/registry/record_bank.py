"""The record bank that a release was made from, as long as it is among the stages."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import MissingStage
from tasks.core.stages import stage_folder, verified_manifest
from tasks.data.bank import Bank, load_bank
from tasks.registry.releases import Release


def load_record_bank(release: Release, data: Path, purpose: str) -> Bank:
    """The bank of the release's triplets stage; data: the folder of caches and stages; purpose: what it is needed for.

    Raises MissingStage where it is not there or damaged.
    """
    digest = release.manifest.stages.get("triplets", "")
    folder = stage_folder(data / "stages", "triplets", digest)
    if not digest or verified_manifest(folder) is None:
        raise MissingStage(
            f"{release.version}: expected its record bank in {folder}, found none; it is needed for {purpose}, and "
            f"kensa reproduce {release.version} --data {data} makes it again"
        )
    return load_bank(folder)
