"""The report of an evaluation: one page that loads nothing else.

The template `report.html` holds all wording. Whatever comes from a dataset is escaped by Jinja, and the page's own
policy allows no script and no request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.config.run import GateConfig, RunConfig
from tasks.core.json_form import Json
from tasks.core.results import Finding
from tasks.data.split import PART_TITLES, PARTS
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.evaluation.report_data import PairContrast, ReportData
from tasks.pages.costs import CostSection
from tasks.pages.templating import environment
from tasks.registry.release_files import DEFECT_THRESHOLD, MODE_THRESHOLD, PICTURE_FILES
from tasks.report import charts, curves
from tasks.report.charts import heat_maps, mistake_maps
from tasks.report.confusion import confusion, confusion_picture, projection
from tasks.report.leaderboard import baseline_table, champion_table, difference_charts, gate_metric_axis
from tasks.report.tower_diagram import model_layers, tower_diagram

MOST_EPOCHS = 24  # lines of the training log


def render(
    report: EvaluationReport,
    evidence: ReportData,
    language: str = "en",
    costs: CostSection | None = None,
    pictures: Json | None = None,
) -> str:
    """The page as HTML text, the same for the same input; `pictures`: those of `report_pictures`, if drawn before."""
    return (
        environment(language)
        .get_template("report.html")
        .render(
            report=report,
            parts=PARTS,
            titles=PART_TITLES,
            numbers={name: number for number, name in enumerate(evidence.modes)},
            standing=gate_metric_axis(report),
            rivals_of=baseline_table(report),
            compared=champion_table(report.comparison),
            differences=difference_charts(report.comparison, GateConfig(**report.settings["gate"])),
            findings=_findings(report.findings),
            settings=_settings(report.settings, report.preset),
            log=_log(report.history),
            commonest=float(np.bincount(evidence.mode).max() / len(evidence.mode)),
            confusion=confusion(evidence.modes, evidence.mode, evidence.distances),
            contrasts=_contrasts(evidence.contrasts),
            wrong=int((evidence.distances.argmin(axis=1) != evidence.mode).sum()),
            pictures=pictures or report_pictures(report, evidence),
            costs=costs,
            language=language,
        )
    )


def picture_files(evidence: ReportData, pictures: Json) -> dict[str, bytes]:
    """Those that Prefect's UI shows of a run, by the names of their files in the release."""
    matrix = confusion_picture(confusion(evidence.modes, evidence.mode, evidence.distances))
    chosen = (pictures["roc"], matrix, pictures["training"])
    return {name: picture.content for name, picture in zip(PICTURE_FILES, chosen, strict=True)}


def report_pictures(report: EvaluationReport, evidence: ReportData) -> Json:
    """Every picture of the page, by the name that the template has for it."""
    values = {threshold.name: threshold.value for threshold in report.thresholds}
    accuracy = {evidence.modes.index(name): entry.accuracy for name, entry in report.metrics.per_mode.items()}
    settings = report.settings["evaluate"]
    rates, layers = curves.curves(evidence), model_layers(report.model)
    return {
        "triplets": [heat_maps(example) for example in evidence.examples],
        "training": charts.training_curves(evidence.history, _stuck_at(report.settings["fit"])),
        "distances": charts.distance_histogram(evidence, values.get(MODE_THRESHOLD)),
        "good": charts.score_histogram(evidence, values.get(DEFECT_THRESHOLD), settings["score"]),
        "ridges": charts.ridges(evidence.contrasts),
        "roc": curves.roc(rates),
        "roc_low": curves.roc(rates, 0.05),
        "readings": curves.readings(rates),
        "precision_recall": curves.precision_recall(rates),
        "mistakes": [mistake_maps(mistake) for mistake in evidence.mistakes],
        "tower": tower_diagram(layers) if layers else None,
        "projection": projection(evidence.embeddings, evidence.mode, accuracy),
    }


def _contrasts(contrasts: list[PairContrast]) -> list[tuple[list[tuple[str, int, list[float]]], float]]:
    """Of each contrast both kinds with their number, 5 %, median and 95 %, and the AUROC."""

    def row(name: str, values: np.ndarray) -> tuple[str, int, list[float]]:
        return name, len(values), np.quantile(values, [0.05, 0.5, 0.95]).tolist()

    return [([row(*kind) for kind in contrast.rows], contrast.auroc) for contrast in contrasts]


def _findings(findings: tuple[Finding, ...]) -> list[tuple[str, Finding]]:
    """Each check with the source it is about: the training source's come first, then the test source's."""
    names = [finding.name for finding in findings]
    return [("test" if finding.name in names[:i] else "train", finding) for i, finding in enumerate(findings)]


def _stuck_at(fit: Json) -> float | None:
    """The loss of offline triplets that learn nothing; a balanced batch's has a second term."""
    return fit["margin"] if fit["batches"] == "triplets" else None


def _settings(settings: Json, preset: str) -> list[tuple[str, Any, bool]]:
    """Key, value and whether it differs from the preset's, those that differ first."""
    usual = _flat(RunConfig(preset=preset).fingerprint_fields())
    rows = [(key, value, key not in usual or usual[key] != value) for key, value in _flat(settings).items()]
    return sorted(rows, key=lambda row: not row[2])


def _flat(settings: Json) -> Json:
    flat: Json = {}
    for key, value in settings.items():
        flat |= {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _log(history: Json) -> list[Json]:
    """The log's lines, thinned where they are many, but always with the saved and the last."""
    lines, best = history["epochs"], history["best_epoch"]
    step = -(-len(lines) // MOST_EPOCHS)
    return [line for i, line in enumerate(lines) if i % step == 0 or line["epoch"] == best or i == len(lines) - 1]
