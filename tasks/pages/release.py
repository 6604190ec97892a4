"""The report of a release, rendered anew: in another language, or as this version of Kensa shows it.

What is decided and measured comes from the release's `report.json`; the pictures are drawn from its record bank, which
must still be among the stages.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.config.run import CostConfig, RunConfig
from tasks.data.bank import Bank
from tasks.data.bank_variants import subsample
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.evaluation.report_data import collect_report_data
from tasks.evaluation.scored_records import score_part, score_raw_maps
from tasks.model.classifier import PrototypeClassifier
from tasks.model.embeddings import EmbeddedBank
from tasks.pages.costs import CostSection, cost_section
from tasks.pages.evaluation import render
from tasks.registry.loading import load_classifier
from tasks.registry.record_bank import load_record_bank
from tasks.registry.release_files import DEFECT_THRESHOLD, CalibrationScores, read_report
from tasks.registry.releases import Release
from tasks.registry.reproduction import stored_config
from tasks.report.notice import add_notice


def render_release(release: Release, data: Path, language: str) -> str:
    """The release's report as an HTML page; data: the folder of the stages.

    Raises MissingStage where the record bank is not there, DamagedRelease, or NewerRelease.
    """
    config = stored_config(release).resolved()
    report = EvaluationReport.from_json(read_report(release.path))
    bank = subsample(load_record_bank(release, data, "the pictures"), config.evaluate.most_records)
    classifier = _as_evaluated(load_classifier(release), bank)
    records = EmbeddedBank(classifier.encoder, bank)
    train, test = (score_part(classifier, records, part) for part in ("train", "test"))
    size = config.data.rows, config.data.cols
    raw = score_raw_maps(bank)
    evidence = collect_report_data(test, train, raw, report.history, size, test.resampling(config))
    page = render(report, evidence, language, _costs(release, report, config.cost, config))
    return add_notice(page, release.manifest, language)


def _as_evaluated(classifier: PrototypeClassifier, bank: Bank) -> PrototypeClassifier:
    """The classifier with the modes of its bank: a mode that was enrolled later has no test records."""
    count = len(bank.modes)
    prototypes = {name: value[:count] for name, value in classifier.prototypes.items()}
    return replace(classifier, modes=classifier.modes[:count], prototypes=prototypes)


def _costs(release: Release, report: EvaluationReport, cost: CostConfig, config: RunConfig) -> CostSection | None:
    scores = CalibrationScores.load_if_stored(release.path)
    if scores is None:
        return None
    defect = report.threshold(DEFECT_THRESHOLD)
    return cost_section(scores, defect and defect.value, cost, config.evaluate.confidence)
