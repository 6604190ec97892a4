"""The report of a release, rendered anew: in another language, or as this version of Kensa shows it.

What is decided and measured comes from the release's `report.json`; the pictures are drawn from its record bank, which
must still be among the stages.
"""

from __future__ import annotations

from pathlib import Path

from tasks.config.run import CostConfig, RunConfig
from tasks.data.bank_variants import subsample
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.evaluation.report_data import collect_report_data
from tasks.evaluation.scored_records import score_part, score_raw_maps
from tasks.model.embeddings import EmbeddedBank
from tasks.pages.costs import CostSection, cost_section
from tasks.pages.enrolment import render_enrolled
from tasks.pages.evaluation import render
from tasks.pages.zero import render_zero
from tasks.registry.loading import load_classifier
from tasks.registry.record_bank import load_record_bank
from tasks.registry.release_files import DEFECT_THRESHOLD, PARENT_PAGE, CalibrationScores, read_report
from tasks.registry.releases import Release
from tasks.registry.reproduction import stored_config
from tasks.report.notice import add_notice


def render_release(release: Release, data: Path, language: str) -> str:
    """The release's report as an HTML page; data: the folder of the stages, which an enrolled release and one
    from good parts alone do not need.

    Raises MissingStage where the record bank is not there, DamagedRelease, or NewerRelease.
    """
    if release.manifest.enrolled:
        return render_enrolled(release.manifest, language, (release.path / PARENT_PAGE).resolve().as_uri())
    report = EvaluationReport.from_json(read_report(release.path))
    if release.manifest.zero:
        return add_notice(render_zero(report, release.path, language), release.manifest, language)
    config = stored_config(release).resolved()
    bank = subsample(load_record_bank(release, data, "the pictures"), config.evaluate.most_records)
    classifier = load_classifier(release)
    records = EmbeddedBank(classifier.encoder, bank)
    train, test = (score_part(classifier, records, part) for part in ("train", "test"))
    size = config.data.rows, config.data.cols
    raw = score_raw_maps(bank)
    evidence = collect_report_data(test, train, raw, report.history, size, test.resampling(config))
    page = render(report, evidence, language, _costs(release, report, config.cost, config))
    return add_notice(page, release.manifest, language)


def _costs(release: Release, report: EvaluationReport, cost: CostConfig, config: RunConfig) -> CostSection | None:
    scores = CalibrationScores.load_if_stored(release.path)
    if scores is None:
        return None
    defect = report.threshold(DEFECT_THRESHOLD)
    return cost_section(scores, defect and defect.value, cost, config.evaluate.confidence)
