"""What the Prefect UI shows of a run: the only maker of its artifacts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.service.lines import ProductLine, read_lines
from flows.ui.figures import figure_rows, figures_description
from flows.ui.fold_texts import crossed_text, unseen_text
from flows.ui.markdown import (
    NOT_TRAINED,
    changes_text,
    drift_text,
    lines_text,
    result_text,
    split_text,
    sweep_text,
    verdicts_text,
)
from flows.ui.page_links import page_url
from tasks.config.run import RunConfig
from tasks.core.facts import BankFacts, DataChanges
from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.progress import validation_text
from tasks.core.results import Epoch, Finding, RetrainResult, Stage, SweepResult
from tasks.core.text import break_markup, escape_markdown
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.registry.release_files import PICTURE_FILES
from tasks.report.notice import DETECTION_UNKNOWN
from tasks.report.translation import translator

SYMBOLS = {"ok": "✓ ok", "warning": "▲ warning", "failed": "✗ failed"}


@dataclass(frozen=True)
class RunArtifacts:
    """Publishes the artifacts of a run; `source` is its training source, `language` that of its report.

    `line` is its product line, if it has one. `own_keys`: an earlier line of kensa.toml has a source of the same name.
    """

    source: str
    language: str = "en"
    line: str | None = None
    own_keys: bool = False

    @classmethod
    def of(cls, config: RunConfig) -> RunArtifacts:
        """Those of the present run, which has this configuration."""
        line = flow_run.parameters.get("line")
        return cls(config.train, config.report.language, line, bool(line) and _shares_source(line))

    def key(self, kind: str) -> str:
        """An artifact's key, one for each kind and training source, so that the UI keeps their history.

        Where several lines have the same source, the first keeps that key, and each other adds its name.
        """
        line = f"-{self.line}" if self.own_keys else ""
        return f"{kind}-{_source_slug(self.source)}{line}"

    def publish_not_trained(self, line: str, revision: str, answer: str) -> None:
        """Why a requested run trained nothing; `answer` is the ledger's."""
        reason = NOT_TRAINED[answer]
        text = f"# NOT TRAINED\n\n{escape_markdown(line)} at `{revision[:12]}`: {reason}."
        self._markdown("not-trained", text, f"not trained: {reason}")

    def publish_findings(self, source: str, findings: tuple[Finding, ...]) -> None:
        """The table of checks; the failed ones first."""
        say = translator(self.language)
        name, verdict, notes = map(say, ("check", "verdict", "notes"))
        rows = [
            {name: say(check.name), verdict: say(SYMBOLS[check.verdict]), notes: break_markup(check.notes)}
            for check in sorted(findings, key=lambda check: (check.success, not check.required))
        ]
        self._table("findings", rows, f"Checks of {escape_markdown(source)}")

    def publish_split(self, triplets: Stage) -> None:
        """How many records of each mode are in each part, and what was dropped."""
        self._markdown(
            "data", split_text(BankFacts.from_json(triplets.facts), self.language), "Records by mode and part"
        )

    def publish_changes(self, changes: DataChanges | None) -> None:
        """How the data differ from the champion's, if there is one."""
        if changes is not None:
            self._markdown("changes", changes_text(changes), "What changed in the data")

    def training_progress(self, config: RunConfig) -> TrainingProgress:
        """The progress bar of a training with this configuration."""
        return TrainingProgress(ProgressBar(self.key("training")), config.resolved().fit.epochs)

    def fold_progress(self) -> ProgressBar:
        """The progress bar of the folds."""
        return ProgressBar(self.key("folds"))

    def publish_unseen_modes(self, report: Stage) -> None:
        """The results of the folds, if there were any."""
        metrics = json.loads((Path(report.path) / "report.json").read_text(encoding="utf-8"))
        if metrics["unseen"] is not None or metrics["permutation"] is not None:
            text = unseen_text(metrics["unseen"], metrics["permutation"])
            self._markdown("unseen", text, "Modes that were not trained")
        if metrics.get("cross") is not None:  # a report of an earlier version has no such key
            self._markdown("cross", crossed_text(metrics["cross"]), "Every group tested once")

    def publish_metrics(self, result: RetrainResult) -> None:
        """The metrics that a factory asks for as a table, with intervals and the champion's, and the pictures."""
        text = (Path(result.path) / "report.json").read_text(encoding="utf-8")
        report = EvaluationReport.from_json(json.loads(text))
        self._table("figures", figure_rows(report, self.language), figures_description(report))
        self._pictures(Path(result.path), report)

    def _pictures(self, folder: Path, report: EvaluationReport) -> None:
        """ROC curves, confusion matrix and training curves, where their files are served."""
        modes = ", ".join(f"{number} {escape_markdown(name)}" for number, name in enumerate(report.data["modes"], 1))
        titles = ("ROC curves", f"Confusion matrix, per cent of the row; modes: {modes}", "Training by epoch")
        for name, title in zip(PICTURE_FILES, titles, strict=True):
            if url := page_url(folder / name):
                key = self.key(name.partition(".")[0])
                create_image_artifact(url, key=key, description=self._titled(title))

    def publish_result(self, result: RetrainResult) -> None:
        """The result of the run with its reasons, and where the report is."""
        auroc = result.metrics.get("auroc")
        description = f"{result.status}, " + (DETECTION_UNKNOWN if auroc is None else f"AUROC {auroc:.3f}")
        self._markdown("verdict", result_text(result, self.language), description)

    def publish_sweep(self, result: SweepResult) -> None:
        """The table of a sweep, and its folder."""
        rows = [{**row["settings"], **{name: row[name] for name in row if name != "settings"}} for row in result.rows]
        cells = [
            {name: f"{value:.4g}" if isinstance(value, float) else break_markup(value) for name, value in row.items()}
            for row in rows
        ]
        self._table("sweep", cells, f"{result.figure} on the calibration part")
        self._markdown("sweep-verdict", sweep_text(Path(result.path).resolve()), "The best settings")

    def _markdown(self, kind: str, text: str, description: str) -> None:
        create_markdown_artifact(text, key=self.key(kind), description=self._titled(description))

    def _table(self, kind: str, rows: list[dict[str, str]], description: str) -> None:
        create_table_artifact(rows, key=self.key(kind), description=self._titled(description))

    def _titled(self, description: str) -> str:
        """The description with the line before it: the list of artifacts shows those of all lines."""
        return f"{self.line}: {description}" if self.line else description


def _source_slug(source: str) -> str:
    """The dataset's name as an artifact's key may have it: small letters, digits and hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", source.partition("@")[0].lower()).strip("-")
    return slug[-80:].strip("-") or "source"


def _shares_source(name: str) -> bool:
    """Whether a line before this one in kensa.toml has a source of the same name."""
    slugs = {line.name: _source_slug(line.config.train) for line in read_lines().by_name.values()}
    earlier = list(slugs).index(name) if name in slugs else 0
    return slugs.get(name) in list(slugs.values())[:earlier]


def publish_lines(states: Mapping[str, State], key: str = "lines") -> None:
    """What came of each line in a run of all lines: the end state of its run, the reason, and the way there."""
    failed = sum(not state.is_completed() for state in states.values())
    description = f"What came of {len(states)} lines" + (f", {failed} failed" if failed else "")
    create_markdown_artifact(lines_text(states), key=key, description=description)


def publish_verdicts(result: ScoreResult, line: str | None = None, language: str = "en") -> None:
    """How many records of a source are good, defect and unknown, and where each verdict is explained.

    The first line of kensa.toml has the key of a run without a line.
    """
    text, first = verdicts_text(result, language), line is None or line == next(iter(read_lines().by_name))
    by = f"Verdicts by {result.release}" + (f" of {line}" if line else "")
    create_markdown_artifact(text, key="verdicts" if first else f"verdicts-{line}", description=by)


def publish_drift(result: DriftResult, line: ProductLine) -> None:
    """Whether new parts look like the reference, and where the page is."""
    text, description = (
        drift_text(result, line.config.report.language),
        f"{result.status}: {escape_markdown(result.source)}",
    )
    create_markdown_artifact(text, key=f"drift-{line.name}", description=description)


class ProgressBar:
    """A progress bar in the UI; it appears with its first move."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.artifact: UUID | None = None

    def move(self, percent: float, text: str) -> None:
        """Show so many percent, and the text."""
        if self.artifact:
            update_progress_artifact(self.artifact, progress=percent, description=text)
        else:
            self.artifact = create_progress_artifact(progress=percent, key=self.key, description=text)


class TrainingProgress:
    """Moves a progress bar at every epoch of the training step."""

    def __init__(self, bar: ProgressBar, epochs: int) -> None:
        self.bar, self.epochs = bar, epochs
        self.text = ""

    def __call__(self, epoch: Epoch) -> None:
        """Move the bar to this epoch, with its losses."""
        losses = f"loss {epoch.loss:.4f}, {validation_text(epoch)}, active {epoch.active:.0%}"
        self.text = f"epoch {epoch.epoch}/{self.epochs}: {losses}"
        self.bar.move(100 * epoch.epoch / self.epochs, self.text)

    def finish(self, model: Stage) -> None:
        """Fill the bar, also after an early stop; nothing where no epoch was trained."""
        if self.text:
            self.bar.move(100, f"saved epoch {model.facts['best_epoch']}; last {self.text}")
