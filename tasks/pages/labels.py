"""The page of labels to check: each record beside the nearest of its own mode and of the nearer one."""

from __future__ import annotations

from pathlib import Path

from tasks.core.json_form import Json
from tasks.data.split import PART_TITLES, PARTS
from tasks.evaluation.label_errors import LabelIssues, find_label_issues, illustrate_label_issues, write_label_issues
from tasks.model.classifier import PrototypeClassifier
from tasks.model.embeddings import EmbeddedBank
from tasks.pages.templating import environment
from tasks.registry.release_files import LABELS_PAGE
from tasks.report.charts import mistake_maps

MAX_SHOWN = 24  # suspects


def write_labels(
    classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], folder: Path, language: str
) -> Json:
    """Write `labels.parquet` and `labels.html` into a folder; how many were `checked`, and `suspects`."""
    issues = find_label_issues(classifier, records)
    write_label_issues(issues, records.bank, folder)
    (folder / LABELS_PAGE).write_text(render_labels(issues, classifier, records, size, language), encoding="utf-8")
    return {"checked": issues.checked, "suspects": len(issues.rows)}


def render_labels(
    issues: LabelIssues, classifier: PrototypeClassifier, records: EmbeddedBank, size: tuple[int, int], language: str
) -> str:
    """The page as HTML text."""
    examples, bank = illustrate_label_issues(issues, classifier, records, size, MAX_SHOWN), records.bank
    rows = issues.rows[:MAX_SHOWN]
    titles, hashes = [PART_TITLES[PARTS[part]] for part in bank.part[rows]], [key.decode() for key in bank.hash[rows]]
    maps, confidence = map(mistake_maps, examples), issues.confidence[:MAX_SHOWN].tolist()
    cases = list(zip(maps, titles, hashes, confidence, bank.ids(rows).tolist(), strict=False))
    template = environment(language).get_template("labels.html")
    return template.render(issues=issues, cases=cases, language=language)
