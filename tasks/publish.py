"""Turns a judged model into a release or a rejected draft, and finds what was concluded before.

The draft is complete and sealed before it gets its name, and the champion pointer moves last: a run
that dies in between leaves the old champion, and the next run finishes what this one began.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import platform
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.config.run import RunConfig
from tasks.core.errors import ChampionMoved
from tasks.core.files import ensure_writable, replace_durably
from tasks.core.results import RetrainResult, Stage
from tasks.core.stages import scratch_folder, seal_folder, verified_manifest
from tasks.registry.champion import champion_state, init_champion_file, next_version, registry_lock, set_champion
from tasks.registry.frozen_sets import register_frozen_set
from tasks.registry.manifest import read_manifest
from tasks.registry.release_files import EVALUATION_FILES, MODEL_FILE, ReleaseFiles
from tasks.registry.releases import Release, readable_releases, rejected_drafts, verify_release
from tasks.report.model_card import model_card

PACKAGES = ("keras", "tensorflow", "numpy", "pyarrow", "datasets", "scikit-learn", "scipy", "prefect")


def find_previous_result(config: RunConfig, fingerprint: str) -> RetrainResult | None:
    """The outcome of an earlier run with this fingerprint as `unchanged`, or None.

    A release that was never made champion because its run died is made so now, if the champion is
    still the one that it was compared with. A rejection, too, counts only against the champion of today.
    """
    artifacts = config.artifacts_path
    for release in readable_releases(artifacts):
        if (
            release.manifest["fingerprint"] == fingerprint
            and verified_manifest(release.path)
            and _is_or_was_champion(artifacts, release)
        ):
            return to_result(release, "unchanged", artifacts)
    for draft in rejected_drafts(artifacts):
        same = (
            draft.manifest["fingerprint"] == fingerprint
            and draft.manifest["compared_with"] == champion_state(artifacts)["champion"]
        )
        if same and verified_manifest(draft.path):
            return to_result(draft, "unchanged", artifacts)
    return None


def _is_or_was_champion(artifacts: Path, release: Release) -> bool:
    """Whether the release is or was champion, made so now where its run died before the pointer moved."""
    with registry_lock(artifacts):
        state = champion_state(artifacts)
        if release.version in state["ever"]:
            return True
        if release.manifest["compared_with"] != state["champion"]:
            return False
        set_champion(artifacts, release.version)
        return True


def publish(
    stages: dict[str, Stage], config: RunConfig, champion: str | None, fingerprint: str, facts: dict[str, Any]
) -> RetrainResult:
    """Release the judged model and make it champion, or keep it as a rejected draft with the reasons.

    `stages` are cache, triplets, model and report; `champion` is the version it was compared with.
    Raises ChampionMoved where another run changed the champion meanwhile, and FrozenSetMoved where it
    took the name of the frozen test set.
    """
    artifacts = ensure_writable(config.artifacts_path)
    report = ReleaseFiles(Path(stages["report"].path)).report()
    manifest = _manifest(stages, config, champion, fingerprint, facts, report)
    with scratch_folder(artifacts, "draft") as draft:
        _fill(draft, stages)
        with registry_lock(artifacts):
            if champion_state(artifacts)["champion"] != champion:
                raise ChampionMoved(f"{artifacts}: the champion changed while {champion} was compared with; run again")
            register_frozen_set(artifacts, report["frozen"], facts, manifest["created"])
            return _place(draft, artifacts, manifest, report)


def _fill(draft: Path, stages: dict[str, Stage]) -> None:
    shutil.copyfile(Path(stages["model"].path) / MODEL_FILE, draft / MODEL_FILE)
    for name in EVALUATION_FILES:
        shutil.copyfile(Path(stages["report"].path) / name, draft / name)


def _place(draft: Path, artifacts: Path, manifest: dict[str, Any], report: dict[str, Any]) -> RetrainResult:
    """Seal the draft under its final name and move the pointer; the lock is held."""
    refused = bool(manifest["reasons"])
    version = manifest["fingerprint"][:16] if refused else next_version(artifacts)
    manifest = {"version": version, **manifest}
    (draft / "README.md").write_text(model_card(manifest, report), encoding="utf-8")
    seal_folder(draft, manifest)
    place = ensure_writable(artifacts / ("drafts" if refused else "releases")) / version
    if refused:
        shutil.rmtree(place, ignore_errors=True)  # the same run, rejected once more, against another champion
    if not refused:
        init_champion_file(artifacts)
    replace_durably(draft, place)
    release = verify_release(Release(version, place, read_manifest(place)))
    if not refused:
        set_champion(artifacts, version)
    return to_result(release, "rejected" if refused else "released", artifacts)


def _manifest(
    stages: dict[str, Stage],
    config: RunConfig,
    champion: str | None,
    fingerprint: str,
    facts: dict[str, Any],
    report: dict[str, Any],
) -> dict[str, Any]:
    return {
        "format": RELEASE_FORMAT,
        "status": "rejected" if report["reasons"] else "released",
        "reasons": report["reasons"],
        "fingerprint": fingerprint,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **facts,
        "metrics": stages["report"].facts["metrics"],
        "compared_with": champion,
        "frozen": report["frozen"],
        "comparison": report["verdict"],
        "config": asdict(config.resolved()),
        "stages": {name: stage.digest for name, stage in stages.items()},
        "weights": stages["model"].facts["weights"],
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """The commit of Kensa's own checkout, with `+` where it is modified; None outside a checkout."""
    here = Path(__file__).parent
    try:
        said = [
            subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, timeout=10, check=False)
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git on this machine: the packages and the stage versions still say what ran
    return None if said[0].returncode else said[0].stdout.strip() + ("+" if said[1].stdout.strip() else "")


def to_result(release: Release, status: str, artifacts: Path) -> RetrainResult:
    """What the command prints of a release or draft."""
    manifest = release.manifest
    return RetrainResult(
        status=status,
        release=release.version if manifest["status"] == "released" else None,
        path=str(release.path),
        train=manifest["train"],
        test=manifest["test"],
        metrics=manifest["metrics"],
        champion=champion_state(artifacts)["champion"],
        reasons=tuple(manifest["reasons"]),
        frozen=manifest.get("frozen"),  # older releases have neither
        comparison=manifest.get("comparison"),
    )
