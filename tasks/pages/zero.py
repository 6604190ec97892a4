"""The page of a model from good parts alone: what was asked, what was seen, and what is not known.

It is made of the files of the release, so that it can be shown in another language later.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tasks.core.json_form import Json
from tasks.data.split import PART_TITLES
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.pages.templating import environment
from tasks.registry.release_files import DEFECT_THRESHOLD, LABELS_FILE, CalibrationScores, ClassifierArrays
from tasks.report.charts import good_histogram
from tasks.report.pictures import on_one_scale

MAX_SHOWN = 12  # good parts that are stopped


def render_zero(report: EvaluationReport, folder: Path, language: str = "en") -> str:
    """The page as HTML text; folder: of the release, or of the draft of its report, with its other files."""
    threshold, metrics, compared = report.threshold(DEFECT_THRESHOLD), report.metrics, report.comparison
    score, _, _ = CalibrationScores.load(folder).part(test=False)
    tested, _, _ = CalibrationScores.load(folder).part(test=True)
    values = {
        "report": report,
        "zero": report.zero,
        "metrics": metrics,
        "threshold": threshold,
        "confidence": report.settings["evaluate"]["confidence"],
        "groups": sorted((metrics.good_fpr_by_group or {}).items(), key=lambda item: -item[1]),
        "alarms": compared and compared.result and compared.result.false_alarms,
        "histogram": good_histogram(score, tested, threshold.value),
        "odd": _odd_parts(folder, report),
        "language": language,
    }
    return environment(language).get_template("zero.html").render(values)


def _odd_parts(folder: Path, report: EvaluationReport) -> list[Json]:
    """The good parts that are stopped, the strangest first, beside the mean map of all."""
    size = report.settings["data"]["rows"], report.settings["data"]["cols"]
    mean = ClassifierArrays.load(folder).anchors[0].reshape(size)
    alts = "heat map of a good part that is stopped", "heat map of the mean of the good parts"
    return [
        {
            "maps": on_one_scale((np.array(row["map"]).reshape(size), mean), alts, None, 0.998),
            "part": PART_TITLES[row["part"]],
            "score": row["own_distance"],
            **{name: row[name] for name in ("record", "group", "id")},
        }
        for row in pq.read_table(folder / LABELS_FILE).slice(0, MAX_SHOWN).to_pylist()
    ]
