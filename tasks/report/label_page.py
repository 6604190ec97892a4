"""The page of labels to be looked at again: each suspect beside a record of its own mode and one of the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.data.split import PARTS
from tasks.evaluation.label_errors import LabelIssues, find_label_issues, illustrate_label_issues, write_label_issues
from tasks.model.classifier import PrototypeClassifier
from tasks.model.embeddings import EmbeddedBank
from tasks.report.charts import mistake_maps
from tasks.report.templating import environment

MAX_SHOWN = 24


def write_labels(
    classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], folder: Path, language: str
) -> dict[str, Any]:
    """Write `labels.parquet` and `labels.html` into a folder; how many were checked, and how many are suspect."""
    found = find_label_issues(classifier, records)
    write_label_issues(found, records.bank, folder)
    (folder / "labels.html").write_text(render_labels(found, classifier, records, size, language), encoding="utf-8")
    return {"checked": found.checked, "suspects": len(found.rows)}


def render_labels(
    found: LabelIssues, classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], language: str
) -> str:
    """The page as HTML text."""
    shown, bank = illustrate_label_issues(found, classifier, records, size, MAX_SHOWN), records.bank
    return (
        environment(language)
        .get_template("labels.html")
        .render(
            found=found,
            cases=[
                (mistake_maps(one), PARTS[bank.part[row]], bank.hash[row].decode(), float(found.confidence[i]))
                for i, (one, row) in enumerate(zip(shown, found.rows, strict=False))
            ],
            language=language,
        )
    )
