"""The report of a judgement: one page that needs nothing but itself.

The page is `report.html`, which holds all wording. Whatever comes from a dataset is hostile
until escaped: Jinja escapes every value, and the page's own policy allows no script and no request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.results import Finding
from tasks.data.split import PARTS
from tasks.evaluation.report_data import PairContrast, ReportData
from tasks.report import charts, curves
from tasks.report.charts import heat_maps, mistake_maps
from tasks.report.confusion import confusion, projection
from tasks.report.cost_page import CostSection
from tasks.report.leaderboard import champion_table, comparison_table, difference_axis, gate_metric_axis
from tasks.report.templating import environment

MOST_EPOCHS = 24  # lines of the training log


def render(
    report: dict[str, Any],
    evidence: ReportData,
    language: str = "en",
    costs: CostSection | None = None,
) -> str:
    """The page as HTML text, the same for the same input.

    `report` is what `report.json` holds (see tasks/evaluate.py), with the facts `train` and `test`
    (`source`, `revision`, `records`; `test` is None where records of `train` were held out).
    """
    return (
        environment(language)
        .get_template("report.html")
        .render(
            report=report,
            parts=PARTS,
            numbers={name: number for number, name in enumerate(evidence.modes)},
            standing=gate_metric_axis(report),
            rivals_of=comparison_table({**report["baselines"], "this model": report["figures"]}),
            compared=champion_table(report["comparison"]),
            differences=difference_axis(report["comparison"], report["settings"]["gate"]),
            findings=_findings(report["findings"]),
            settings=_settings(report["settings"], report["preset"]),
            log=_log(report["history"]),
            commonest=float(np.bincount(evidence.mode).max() / len(evidence.mode)),
            confusion=confusion(evidence),
            contrasts=_contrasts(evidence.contrasts),
            wrong=int((evidence.distances.argmin(axis=1) != evidence.mode).sum()),
            pictures=_pictures(report, evidence),
            costs=costs,
            language=language,
        )
    )


def _pictures(report: dict[str, Any], evidence: ReportData) -> dict[str, Any]:
    cuts = {threshold["name"]: threshold["value"] for threshold in report["thresholds"]}
    accuracy = {evidence.modes.index(name): found["accuracy"] for name, found in report["figures"]["per_mode"].items()}
    rates = curves.curves(evidence, report["settings"]["evaluate"]["confidence"])
    return {
        "triplets": [heat_maps(example) for example in evidence.examples],
        "training": charts.training_curves(evidence.history, _stuck_at(report["settings"]["fit"])),
        "distances": charts.distance_histogram(evidence, cuts.get("same mode")),
        "good": charts.score_histogram(
            evidence, cuts.get("good or defect"), report["settings"]["evaluate"]["score"] == "fused"
        ),
        "ridges": charts.ridges(evidence.contrasts),
        "roc": curves.roc(rates),
        "roc_low": curves.roc(rates, 0.05),
        "readings": curves.readings(rates),
        "precision_recall": curves.precision_recall(rates),
        "mistakes": [mistake_maps(mistake) for mistake in evidence.mistakes],
        "projection": projection(evidence.embeddings, evidence.mode, accuracy),
    }


def _contrasts(contrasts: list[PairContrast]) -> list[tuple[list[tuple[str, int, list[float]]], float]]:
    """Of each contrast both kinds with their number, 5 %, median and 95 %, and how often the first is nearer."""
    return [
        ([(name, len(values), np.quantile(values, [0.05, 0.5, 0.95]).tolist()) for name, values in one.rows], one.auroc)
        for one in contrasts
    ]


def _findings(findings: list[dict[str, Any]]) -> list[tuple[str, Finding]]:
    """Each check with the source it is about: the training source's come first, then the test source's."""
    seen: set[str] = set()
    found = []
    for entry in findings:
        found.append(("test" if entry["name"] in seen else "train", Finding(**entry)))
        seen.add(entry["name"])
    return found


def _stuck_at(fit: dict[str, Any]) -> float | None:
    """The loss of offline triplets that learn nothing; a balanced batch's has a second term."""
    return fit["margin"] if fit["batches"] == "triplets" else None


def _settings(settings: dict[str, Any], preset: str) -> list[tuple[str, Any, bool]]:
    """Key, value and whether it differs from the preset's, those that differ first."""
    usual = _flat(RunConfig(preset=preset).fingerprint_fields())
    rows = [(key, value, key not in usual or usual[key] != value) for key, value in _flat(settings).items()]
    return sorted(rows, key=lambda row: not row[2])


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def _log(history: dict[str, Any]) -> list[dict[str, Any]]:
    """The log's lines, thinned where they are many, but always with the saved and the last."""
    lines, best = history["epochs"], history["best_epoch"]
    step = -(-len(lines) // MOST_EPOCHS)
    return [line for i, line in enumerate(lines) if i % step == 0 or line["epoch"] == best or i == len(lines) - 1]
