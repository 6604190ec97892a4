"""Turns an evaluated model into a release or a rejected draft, and finds the result of an earlier, equal run.

The draft is complete and sealed before it gets its name, and the champion pointer moves last: a run
that is killed in between leaves the old champion, and the next run finishes the promotion.
"""

from __future__ import annotations

import datetime
import functools
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tasks.config.fingerprints import RELEASE_FORMAT
from tasks.config.good_parts import model_settings
from tasks.config.run import RunConfig
from tasks.core.authorship import MAX_REASON, Authorship
from tasks.core.errors import ChampionMoved, NoPermission, SourceUnreachable, UnreadableSource
from tasks.core.files import ensure_writable
from tasks.core.json_form import Json
from tasks.core.own_code import copy_kept_code
from tasks.core.packages import package_version
from tasks.core.progress import note_line
from tasks.core.results import RetrainResult, Stage
from tasks.core.stages import scratch_folder, verified_manifest
from tasks.data.card import read_card
from tasks.data.listing import list_tables
from tasks.data.selection import READING_VERSION, was_read_otherwise
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.registry.champion import champion_state, registry_lock, set_champion
from tasks.registry.frozen_sets import count_comparison, register_frozen_set
from tasks.registry.journal_events import bring_up_to_date
from tasks.registry.manifest import ReleaseManifest, SourceSummary
from tasks.registry.placement import place
from tasks.registry.release_files import (
    CARD_FILE,
    EVALUATION_FILES,
    LABELS_PAGE,
    MODEL_FILE,
    PICTURE_FILES,
    TOWER_FILE,
    read_report,
)
from tasks.registry.releases import Release, readable_releases, rejected_drafts
from tasks.report.model_card import model_card
from tasks.report.notice import DETECTION_UNKNOWN
from tasks.sources.hub import fetch_snapshot
from tasks.sources.standards import keep_standard

PACKAGES = ("keras", "tensorflow", "numpy", "pyarrow", "datasets", "scikit-learn", "scipy", "prefect")


def find_previous_result(config: RunConfig, fingerprint: str, run: str | None = None) -> RetrainResult | None:
    """The result of an earlier run with this fingerprint as `unchanged`, or None.

    A release whose run was killed before it became champion becomes champion now, if the champion is still the one
    that it was compared with. A rejection, too, counts only against the champion of today.
    run: the id of Prefect's run.
    """
    artifacts = config.artifacts_path
    if previous := _find_previous(artifacts, fingerprint, run):
        with registry_lock(artifacts):
            bring_up_to_date(artifacts)  # a killed run may have left that undone
        return to_result(previous, "unchanged", artifacts)
    return None


def _find_previous(artifacts: Path, fingerprint: str, run: str | None) -> Release | None:
    for release in _completed(readable_releases(artifacts), fingerprint):
        if _ensure_was_champion(artifacts, release, run):
            return release
    for draft in _completed(rejected_drafts(artifacts), fingerprint):
        if _is_compared_with_champion(artifacts, draft):
            return draft
    return None


def _completed(releases: list[Release], fingerprint: str) -> Iterator[Release]:
    """The intact ones with this fingerprint; those first whose sources were surely read as they would be now."""
    same = [release for release in releases if release.manifest.fingerprint == fingerprint]
    for release in sorted(same, key=lambda release: -release.manifest.reading):
        if verified_manifest(release.path) and not _is_misread(release.manifest):
            yield release


def _is_misread(manifest: ReleaseManifest) -> bool:
    """Whether an earlier version read something else from the same commit of the Hub; a folder has another revision."""
    if manifest.reading >= READING_VERSION:
        return False
    sources = [source for source in (manifest.train, manifest.test) if source and source.kind == "hub"]
    return any(commit_was_read_otherwise(source.source, source.revision) for source in sources)


@functools.cache
def commit_was_read_otherwise(source: str, revision: str) -> bool:
    """Whether an earlier version read something else from this commit of a Hub dataset.

    No, where its files cannot be had: the next run looks again.
    """
    try:
        folder = fetch_snapshot(source, revision)
        otherwise = was_read_otherwise(list_tables(folder), read_card(folder, source))
    except (SourceUnreachable, UnreadableSource, NoPermission):
        return False
    if otherwise:
        note_line(f"{source}: an earlier version read these files otherwise; its results do not count")
    return otherwise


def _ensure_was_champion(artifacts: Path, release: Release, run: str | None) -> bool:
    """Whether the release is or was champion, or is a candidate; one whose run was killed becomes champion here."""
    with registry_lock(artifacts):
        if release.version in champion_state(artifacts).ever:
            return True
        if not _is_compared_with_champion(artifacts, release):
            return False
        if release.manifest.status == "candidate":  # it waits for a person, or one refused it
            return True
        set_champion(artifacts, release.version, _gate(release.manifest, run))
        return True


def _is_compared_with_champion(artifacts: Path, release: Release) -> bool:
    return release.manifest.compared_with == champion_state(artifacts).champion


def publish(
    stages: dict[str, Stage],
    config: RunConfig,
    champion: str | None,
    fingerprint: str,
    facts: Json,
    run: str | None = None,
    standard: str | None = None,
) -> RetrainResult:
    """Release the evaluated model and make it champion or a candidate, or keep it as a rejected draft with the reasons.

    stages: cache, triplets, model and report; champion: the version that it was compared with; facts: the sources
    `train` and `test`, and the `changes` since the champion; run: the id of Prefect's run; standard: the file of the
    photographs' standard, which the release carries. Raises ChampionMoved where another run changed the champion
    meanwhile, and FrozenSetMoved where it took the name of the frozen test set.
    """
    config, artifacts = model_settings(config, stages["triplets"].facts), ensure_writable(config.artifacts_path)
    report = EvaluationReport.from_json(read_report(Path(stages["report"].path)))
    manifest = _manifest(stages, config, champion, fingerprint, facts, report)
    manifest = replace(manifest, made=asdict(Authorship.of(run=run)))
    with scratch_folder(artifacts, "draft") as draft:
        _copy_files(stages, draft)
        keep_standard(standard, config.data, draft)
        _draw_tower(report, draft)
        with registry_lock(artifacts):
            if champion_state(artifacts).champion != champion:
                raise ChampionMoved(f"{artifacts}: the champion changed while {champion} was compared with; run again")
            register_frozen_set(artifacts, manifest.frozen, manifest.test or manifest.train, manifest.created)
            if report.comparison is not None and report.comparison.could_promote:
                count_comparison(artifacts, manifest.frozen.version, champion, stages["model"].digest)
            release = place(
                draft,
                artifacts,
                manifest,
                lambda numbered: (draft / CARD_FILE).write_text(model_card(numbered, report), encoding="utf-8"),
            )
            if manifest.status == "released":
                set_champion(artifacts, release.version, _gate(manifest, run))
            return to_result(release, manifest.status, artifacts)


def _gate(manifest: ReleaseManifest, run: str | None) -> Authorship:
    """Why the gate made a release champion, for the journal; the user is that of the process that trained."""
    first = "the first of its line" + (f"; {DETECTION_UNKNOWN}" if manifest.zero else "")
    verdict = (manifest.comparison or {}).get("verdict") or first
    return Authorship.of((manifest.made or {}).get("by"), f"by the gate: {verdict}"[:MAX_REASON], run)


def _copy_files(stages: dict[str, Stage], draft: Path) -> None:
    shutil.copyfile(Path(stages["model"].path) / MODEL_FILE, draft / MODEL_FILE)
    copy_kept_code(Path(stages["model"].path), draft)
    missing = (LABELS_PAGE,) if stages["triplets"].facts.get("good_alone") else ()  # there are no modes to mix up
    for name in EVALUATION_FILES:
        if name not in missing:
            shutil.copyfile(Path(stages["report"].path) / name, draft / name)
    for name in PICTURE_FILES:
        if (Path(stages["report"].path) / name).exists():
            shutil.copyfile(Path(stages["report"].path) / name, draft / name)


def _draw_tower(report: EvaluationReport, draft: Path) -> None:
    """The model card's picture; a report that an earlier version made has no layers to draw."""
    # matplotlib, which a run that changes nothing must not wait for
    from tasks.report.tower_diagram import model_layers, tower_diagram

    if layers := model_layers(report.model):
        (draft / TOWER_FILE).write_bytes(tower_diagram(layers).content)


def _manifest(
    stages: dict[str, Stage],
    config: RunConfig,
    champion: str | None,
    fingerprint: str,
    facts: Json,
    report: EvaluationReport,
) -> ReleaseManifest:
    versions = {name: package_version(name) for name in PACKAGES}
    return ReleaseManifest(
        format=RELEASE_FORMAT,
        status=_status(report, config),
        reasons=report.reasons,
        fingerprint=fingerprint,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        train=SourceSummary.from_json(facts["train"]),
        test=SourceSummary.from_json(facts["test"]) if facts["test"] else None,
        changes=facts.get("changes"),
        metrics=stages["report"].facts["metrics"],
        compared_with=champion,
        frozen=report.frozen,
        comparison=None if report.verdict is None else report.verdict.as_json(),
        config=asdict(config),
        reading=READING_VERSION,
        stages={name: stage.digest for name, stage in stages.items()},
        weights=stages["model"].facts["weights"],
        packages=versions | {"python": platform.python_version()},
        git_commit=git_commit(),
        zero=report.zero,
    )


def _status(report: EvaluationReport, config: RunConfig) -> str:
    if report.reasons:
        return "rejected"
    return "candidate" if config.gate.approval == "required" else "released"


def git_commit() -> str | None:
    """The commit of Kensa's own checkout, with `+` where it is modified; None outside a checkout."""
    folder = Path(__file__).parent
    try:
        head, changes = (
            subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.TimeoutExpired):
        return None  # no git on this machine: the packages and the stage versions still say what ran
    if head.returncode:
        return None
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")


def to_result(release: Release, status: str, artifacts: Path) -> RetrainResult:
    """What the command prints of a release or draft."""
    manifest = release.manifest
    test, frozen = manifest.test, manifest.frozen
    return RetrainResult(
        status=status,
        release=None if manifest.status == "rejected" else release.version,
        path=str(release.path),
        train=manifest.train.as_json(),
        test=None if test is None else test.as_json(),
        metrics=manifest.metrics,
        champion=champion_state(artifacts).champion,
        reasons=manifest.reasons,
        frozen=None if frozen is None else frozen.as_json(),
        comparison=manifest.comparison,
    )
