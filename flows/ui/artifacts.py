"""What the Prefect UI shows of a run: the only maker of its artifacts, and of its runs' names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from flows.service.lines import ProductLine
from flows.ui.markdown import drift_lines, unseen_text, verdict_lines
from tasks.config.run import RunConfig
from tasks.core.facts import BankFacts, DataChanges
from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.results import (
    Epoch,
    Finding,
    Fold,
    PinnedSource,
    RetrainResult,
    Stage,
    SweepResult,
)
from tasks.core.text import escape_markdown
from tasks.report.translation import Translate, sentence_translator, translator

SYMBOLS = {"ok": "✓ ok", "warning": "▲ warning", "failed": "✗ failed"}


def first_name() -> str:
    """The run's name until its revision is known."""
    given = flow_run.parameters
    config = given.get("config")
    train = config.train if isinstance(config, RunConfig) else (config or {}).get("train", "demo")
    return f"{given.get('line') or train} {(given.get('revision') or '')[:7] or '…'}"


def name_run(train: PinnedSource, config: RunConfig) -> None:
    """Name the run after dataset, revision and preset."""
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.get_id(), name=f"{train.title} {config.preset}")


def key(config: RunConfig, kind: str) -> str:
    """An artifact's key, one for each kind and training source, so that the UI keeps their history."""
    source = re.sub(r"[^a-z0-9]+", "-", config.train.partition("@")[0].lower()).strip("-")
    return f"{kind}-{source[-80:].strip('-') or 'source'}"


def not_trained(line: ProductLine, revision: str, answer: str) -> None:
    """Why a run that was asked for trained nothing."""
    reasons = {
        "done": "this revision was retrained before",
        "running": "another run is retraining on this revision now",
        "skipped": "a newer revision came before this one was trained",
        "cancelled": "a person cancelled the run on this revision",
        "given up": "this revision failed as often as kensa.toml allows",
    }
    text = f"# NOT TRAINED\n\n{escape_markdown(line.name)} at `{revision[:12]}`: {reasons[answer]}."
    create_markdown_artifact(text, key=key(line.config, "not-trained"), description=f"not trained: {reasons[answer]}")


def findings(source: str, found: tuple[Finding, ...], config: RunConfig) -> None:
    """The table of checks; the failed ones first."""
    order = sorted(found, key=lambda finding: (finding.success, not finding.required))
    say = translator(config.report.language)
    check, seen, notes = map(say, ("check", "verdict", "notes"))
    rows = [{check: say(f.name), seen: say(SYMBOLS[f.verdict]), notes: escape_markdown(f.notes)} for f in order]
    create_table_artifact(rows, key=key(config, "findings"), description=f"Checks of {escape_markdown(source)}")


def data(triplets: Stage, config: RunConfig) -> None:
    """How many records of each mode lie in each part, and what was dropped."""
    facts = BankFacts.from_json(triplets.facts)
    parts = list(facts.records)
    say = translator(config.report.language)
    lines = [f"| {say('mode')} | {' | '.join(map(say, parts))} |", "| --- |" + " ---: |" * len(parts)]
    for mode, counts in facts.modes.items():
        lines.append(f"| {escape_markdown(mode)} | {' | '.join(str(counts[part]) for part in parts)} |")
    lines.append(f"| **{say('all')}** | {' | '.join(str(facts.records[part]) for part in parts)} |")
    dropped = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in facts.dropped.items())
    crossed = (
        f"{facts.triplets['triplets_crossing']} of {facts.triplets['triplets_brought']} triplets crossed the split"
    )
    notes = f"Split by {facts.split_by}; {dropped}; {crossed}."
    create_markdown_artifact(
        "\n".join([*lines, "", notes]), key=key(config, "data"), description="Records by mode and part"
    )


def changes(found: DataChanges | None, config: RunConfig) -> None:
    """What the revision brings against the champion's."""
    if found is None:
        return
    lines = [
        f"Against **{found.against}** (`{found.revision[:12]}`): {found.added} records added, "
        f"{found.removed} removed, {found.relabelled} relabelled.",
        "",
        "| mode | then | now |",
        "| --- | ---: | ---: |",
        *(f"| {escape_markdown(mode)} | {then} | {now} |" for mode, (then, now) in found.modes.items()),
        "",
        *(
            f"- drift: the {row.of} of mode {escape_markdown(row.mode)} went from {row.then:.4g} "
            f"to {row.now:.4g} (p = {row.p:.1e})"
            for row in found.drift
        ),
        "" if found.drift else "No mode's maps have drifted (Kolmogorov–Smirnov, 1 % over all tests).",
    ]
    create_markdown_artifact("\n".join(lines), key=key(config, "changes"), description="What changed in the data")


class TrainingProgress:
    """A progress bar in the UI, moved by every epoch of the training step, and full when it has ended."""

    def __init__(self, config: RunConfig) -> None:
        self.key, self.epochs = key(config, "training"), config.resolved().fit.epochs
        self.bar: UUID | None = None
        self.text = ""

    def __call__(self, line: Epoch) -> None:
        """Move the bar to this epoch, with its losses."""
        losses = f"loss {line.loss:.4f}, validation {line.val_loss:.4f}, active {line.active:.0%}"
        self.text = f"epoch {line.epoch}/{self.epochs}: {losses}"
        done = 100 * line.epoch / self.epochs
        if self.bar:
            update_progress_artifact(self.bar, progress=done, description=self.text)
        else:
            self.bar = create_progress_artifact(progress=done, key=self.key, description=self.text)

    def ended(self, model: Stage) -> None:
        """Fill the bar, which early stopping leaves half-way; nothing where no epoch was trained."""
        if self.bar:
            text = f"saved epoch {model.facts['best_epoch']}; last {self.text}"
            update_progress_artifact(self.bar, progress=100, description=text)


class FoldProgress:
    """A progress bar in the UI, moved by every fold that was trained and judged."""

    def __init__(self, config: RunConfig, count: int) -> None:
        self.key, self.count, self.done = key(config, "folds"), count, 0
        self.bar: UUID | None = None

    def __call__(self, fold: Fold) -> None:
        """Move the bar past this fold."""
        self.done += 1
        text = f"fold {self.done}/{self.count}: {escape_markdown(fold.title)}"
        if self.bar:
            update_progress_artifact(self.bar, progress=100 * self.done / self.count, description=text)
        else:
            self.bar = create_progress_artifact(progress=100 * self.done / self.count, key=self.key, description=text)


def unseen(report: Stage, config: RunConfig) -> None:
    """How defects of modes that were never trained are judged, and what was learnt from permuted modes."""
    told = json.loads((Path(report.path) / "report.json").read_text())
    if told["unseen"] is None and told["permutation"] is None:
        return
    text = unseen_text(told["unseen"], told["permutation"])
    create_markdown_artifact(text, key=key(config, "unseen"), description="Modes that were never trained")


def figures(report: Stage, outcome: RetrainResult, config: RunConfig) -> None:
    """The flat figures as a table."""
    rows = [
        {"figure": name.replace("_", " "), "value": str(value) if isinstance(value, int) else f"{value:.4f}"}
        for name, value in outcome.metrics.items()
    ]
    create_table_artifact(rows, key=key(config, "figures"), description="Figures on the test part")


def verdict(outcome: RetrainResult, config: RunConfig) -> None:
    """What came of the run, why, and where the report lies."""
    say, tell = translator(config.report.language), sentence_translator(config.report.language)
    report = Path(outcome.path).resolve() / "report.html"
    auroc, accuracy = outcome.metrics["auroc"], outcome.metrics["mode_accuracy"]
    trained = say("Trained on **{source}** at `{revision}`; pair AUROC **{auroc}**, mode accuracy **{accuracy}**.")
    source, revision = escape_markdown(outcome.train["source"]), outcome.train["revision"][:12]
    lines = [
        f"# {say(outcome.status.upper())}" + (f": {outcome.release}" if outcome.release else ""),
        trained.format(source=source, revision=revision, auroc=f"{auroc:.3f}", accuracy=f"{accuracy:.3f}"),
        *(f"- {escape_markdown(tell(reason))}" for reason in outcome.reasons),
        *_against(outcome, say, tell),
        say("Champion: **{champion}**").format(champion=outcome.champion or say("none yet")),
        f"[{say('Report')}]({report.as_uri()}) (`{report}`)",
    ]
    create_markdown_artifact(
        "\n\n".join(lines), key=key(config, "verdict"), description=f"{outcome.status}, AUROC {auroc:.3f}"
    )


def _against(outcome: RetrainResult, say: Translate, tell: Translate) -> list[str]:
    """The comparison with the champion, by the figure that decides and by the mode that fared worst."""
    told, frozen = outcome.comparison, outcome.frozen
    held = say("Frozen test set **{version}**: {records} records.")
    lines = [] if frozen is None else [held.format(version=frozen["version"], records=frozen["records"])]
    if told is None:
        return lines
    if told["verdict"] not in outcome.reasons:
        against = say("Against **{version}**: {verdict}.")
        lines.append(against.format(version=told["version"], verdict=escape_markdown(tell(told["verdict"]))))
    if "worst_mode" in told:
        (low, high), worst = told["interval"], told["worst_mode"]
        lines.append(
            f"| difference | of | interval |\n| ---: | --- | --- |\n"
            f"| {told['difference']:+.4f} | {told['figure'].replace('_', ' ')} | {low:+.4f} to {high:+.4f} |\n"
            f"| {worst['difference']:+.4f} | accuracy of mode {escape_markdown(worst['mode'])}, the worst of all "
            f"| {_ends(worst['interval'])} |"
        )
    return lines


def _ends(interval: list[float] | None) -> str:
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}" if interval else "too few records to be told"


def swept(found: SweepResult, config: RunConfig) -> None:
    """The table of a sweep, and where its folder lies."""
    rows = [
        {name: f"{value:.4g}" if isinstance(value, float) else escape_markdown(value) for name, value in told.items()}
        for told in ({**row.pop("settings"), **row} for row in map(dict, found.rows))
    ]
    create_table_artifact(rows, key=key(config, "sweep"), description=f"{found.figure} on the calibration part")
    folder = Path(found.path).resolve()
    text = (folder / "table.md").read_text(encoding="utf-8")
    links = [f"[{name}]({(folder / name).as_uri()})" for name in ("table.md", "figure.svg", "best.toml")]
    create_markdown_artifact(
        f"{text}\n{' · '.join(links)} (`{folder}`)", key=key(config, "sweep-verdict"), description="What to take"
    )


def verdicts(scored: ScoreResult, language: str = "en") -> None:
    """How many records of a source are good, defect and unknown, what that is worth, and where the reasons lie."""
    say, page = translator(language), Path(scored.page or scored.path).resolve()
    lines = [
        say("{source} at `{revision}`, judged by **{release}**:").format(
            source=escape_markdown(scored.source), revision=scored.revision[:12], release=scored.release
        ),
        *(f"- {say(name)}: **{count}**" for name, count in scored.counts.items()),
        *verdict_lines(scored, say),
        f"[{say('Why')}]({page.as_uri()}) (`{page}`), {say('all verdicts')}: `{Path(scored.path).resolve()}`",
    ]
    create_markdown_artifact("\n\n".join(lines), key="verdicts", description=f"Verdicts by {scored.release}")


def drifted(found: DriftResult, line: ProductLine) -> None:
    """Whether new parts look like the reference, what speaks for it, and where the page lies."""
    page = Path(found.page).resolve()
    told = drift_lines(found, translator(line.config.report.language))
    lines = [*told, f"[Page]({page.as_uri()}) (`{page}`)"]
    create_markdown_artifact(
        "\n\n".join(lines), key=f"drift-{line.name}", description=f"{found.status}: {escape_markdown(found.source)}"
    )
