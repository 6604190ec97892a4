"""A mode or a lot for a release, without training: a new release that names its parent.

The tower and the test set stay. A mode adds its prototype; a lot moves the good prototype and the threshold. What that
does to the verdicts on what the parent knows is measured on its test records, whose bank must be among the stages.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.authorship import Authorship
from tasks.core.errors import CannotEnrol, NotACandidate
from tasks.core.files import digest_of, ensure_writable
from tasks.core.results import DownloadedSource
from tasks.core.stages import MANIFEST, scratch_folder, verified_manifest
from tasks.data.bank import Bank
from tasks.data.bank_variants import subsample
from tasks.enrolment.enrolment import Enrolment
from tasks.enrolment.files import write_classifier
from tasks.enrolment.lots import enrol_lot, require_defects_found
from tasks.enrolment.modes import HeldOutRecords, enrol_mode, require_no_harm, require_recall
from tasks.enrolment.parts import lot_name, read_lot_parts, read_mode_parts
from tasks.enrolment.request import EnrolRequest, EnrolResult
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.evaluation.resampling import Resampling
from tasks.model.embeddings import EmbeddedBank
from tasks.monitoring.reference import build_reference
from tasks.pages.enrolment import render_enrolled
from tasks.registry.champion import champion_state, registry_lock, select_release, set_champion
from tasks.registry.loading import LoadedRelease, load_verified_release
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.placement import place
from tasks.registry.record_bank import load_record_bank
from tasks.registry.release_files import (
    CARD_FILE,
    PARENT_PAGE,
    REPORT_PAGE,
    ThresholdSettings,
    load_scores,
    read_report,
)
from tasks.registry.releases import Release, readable_releases, verify_release
from tasks.registry.reproduction import stored_config
from tasks.report.model_card import model_card
from tasks.scoring.judging import open_parts

REWRITTEN_FILES = (REPORT_PAGE, PARENT_PAGE, CARD_FILE, MANIFEST)


def enrol(
    source: DownloadedSource,
    artifacts: Path,
    data: Path,
    request: EnrolRequest,
    version: str | None = None,
    promote: bool = False,
    author: Authorship | None = None,
) -> EnrolResult:
    """The release that knows the mode or the lot too; `unchanged` where the same was made before.

    data: the folder of the stages, with the parent's record bank; version: the parent, by default the champion; it
    becomes champion with `promote`. Where the line's gate asks for approval, the result is a candidate. Raises
    what `select_release` does, MissingStage, CannotEnrol, and NotACandidate for a promotion without a reason where
    approval is asked for.
    """
    parent, author = load_verified_release(select_release(artifacts, version)), author or Authorship.of()
    status = _status(parent.manifest, promote, author)
    fingerprint = digest_of("enrolled", parent.manifest.fingerprint, source.resolved.identity, asdict(request))
    earlier = _find_release(artifacts, fingerprint)
    if not earlier:
        enrolment = _learn(source, parent, data, request)
        manifest = replace(enrolment.manifest(fingerprint), status=status, made=asdict(author))
    release = earlier or _make_release(artifacts, enrolment, manifest)
    if promote:
        with registry_lock(artifacts):
            set_champion(artifacts, verify_release(release).version, author)
    facts = release.manifest.enrolled
    return EnrolResult(
        status="unchanged" if earlier else status,
        release=release.version,
        parent=parent.version,
        path=str(release.path),
        kind=facts["kind"],
        name=facts["name"],
        facts=facts,
        champion=champion_state(artifacts).champion,
    )


def _status(manifest: ReleaseManifest, promote: bool, author: Authorship) -> str:
    """`candidate` where a person must approve, else `released`."""
    if manifest.config.get("gate", {}).get("approval") != "required":
        return "released"
    if promote and not author.why:
        raise NotACandidate(
            "--promote: expected --reason, because the line asks for approval (gate.approval), found none; leave "
            "--promote out to make a candidate"
        )
    return "candidate"


def _find_release(artifacts: Path, fingerprint: str) -> Release | None:
    """The undamaged release with this fingerprint, if there is one."""
    equal = (release for release in readable_releases(artifacts) if release.manifest.fingerprint == fingerprint)
    return next((release for release in equal if verified_manifest(release.path)), None)


def _learn(source: DownloadedSource, parent: LoadedRelease, data: Path, request: EnrolRequest) -> Enrolment:
    """The parts, the classifier that learnt from them, and the evidence; raises CannotEnrol where that is bad."""
    if request.kind == "mode" and parent.manifest.zero:
        raise CannotEnrol(
            f"{parent.version}: expected a trained release, found one from good parts alone, which knows no modes; "
            "add the labelled parts to the data, and retrain"
        )
    config = stored_config(parent.release).resolved()
    good = request.good or parent.data.good
    reader = replace(parent, data=replace(parent.data, good=good))
    table = open_parts(source, reader, request.config, request.part)
    is_mode = request.kind == "mode"
    parts = read_mode_parts(table, reader, request.name) if is_mode else read_lot_parts(table, reader, request.name)
    bank = subsample(
        load_record_bank(parent.release, data, "what enrolling changes on the test records"),
        config.evaluate.most_records,
    )
    tests, kind = _tests(parent, bank, config), ThresholdSettings.load(parent.path).prototype
    name = request.name if is_mode else lot_name(parts, request.name, source.resolved.title)
    if is_mode:
        learnt, evidence = enrol_mode(parent, kind, name, parts, tests, config.evaluate.confidence)
        require_recall(name, evidence, request.recall)
        require_no_harm(name, evidence, request.margin)
    else:
        learnt, evidence = enrol_lot(parent, kind, parts, load_scores(parent.path), tests, config.evaluate)
        require_defects_found(name, evidence, request.margin)
    pinned = (source.resolved.source, source.resolved.revision)
    return Enrolment(parent, learnt, parts, bank, request.kind, name, evidence, pinned, request)


def _tests(parent: LoadedRelease, bank: Bank, config: RunConfig) -> HeldOutRecords:
    rows = bank.rows("test")
    embedded = parent.classifier.embed(np.asarray(bank.maps[rows]))
    return HeldOutRecords.of(bank, embedded, Resampling.of(bank, rows, config).units)


def _make_release(artifacts: Path, enrolment: Enrolment, manifest: ReleaseManifest) -> Release:
    parent = enrolment.parent
    with scratch_folder(ensure_writable(artifacts), "draft") as draft:
        shutil.copytree(parent.path, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*REWRITTEN_FILES))
        shutil.copyfile(parent.path / REPORT_PAGE, draft / PARENT_PAGE)
        write_classifier(draft, enrolment)
        learnt = enrolment.classifier
        build_reference(learnt, EmbeddedBank(learnt.classifier.encoder, enrolment.bank)).save(draft)
        report = EvaluationReport.from_json(read_report(draft))
        with registry_lock(artifacts):
            manifest = replace(manifest, compared_with=champion_state(artifacts).champion)
            return place(draft, artifacts, manifest, lambda numbered: _write_pages(draft, numbered, report))


def _write_pages(draft: Path, manifest: ReleaseManifest, report: EvaluationReport) -> None:
    """The page and the card, which name the release."""
    (draft / REPORT_PAGE).write_text(render_enrolled(manifest), encoding="utf-8")
    (draft / CARD_FILE).write_text(model_card(manifest, report), encoding="utf-8")
