"""The texts of the Prefect UI's artifacts, as Markdown. Names that come from a dataset are escaped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from flows.ui.page_links import page_url
from tasks.core.facts import BankFacts, DataChanges
from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.results import RetrainResult
from tasks.core.sentences import Sentence
from tasks.core.text import escape_markdown
from tasks.data.split import PART_TITLES
from tasks.report.leaderboard import metric_title
from tasks.report.notice import DETECTION_UNKNOWN
from tasks.report.translation import Translate, translator

NOT_TRAINED = {  # by the ledger's answer to a claim
    "done": "this revision was retrained before",
    "running": "another run is retraining on this revision now",
    "skipped": "a newer revision came before this one was trained",
    "cancelled": "a person cancelled the run on this revision",
    "given up": "this revision failed as often as kensa.toml allows",
}


def markdown_table(head: list[str], rows: list[list[str]], align: str) -> str:
    """A table; `align` has `l` or `r` for each column."""
    rule = ["---:" if side == "r" else "---" for side in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _link(title: str, path: Path) -> str:
    """A link to the page where it is served, else where the file lies: no browser opens a `file:` link of a page."""
    url = page_url(path)
    return f"[{title}]({url})" if url else f"{title}: `{path}`"


def lines_text(states: Mapping[str, State]) -> str:
    """What came of each line: how its run ended, why, and a link to it."""
    rows = [
        [line, f"**{state.name.lower()}**", escape_markdown(state.message or ""), _run_link(state)]
        for line, state in states.items()
    ]
    return markdown_table(["line", "outcome", "reason", "run"], rows, "llll")


def _run_link(state: State) -> str:
    """The page of the run that ended in this state, as seen from an artifact's page; a dash where there is none."""
    run = state.state_details.flow_run_id
    return f"[run](../../runs/flow-run/{run})" if run else "–"


def split_text(facts: BankFacts, language: str = "en") -> str:
    """How many records of each mode are in each part, and what was dropped."""
    say, parts = translator(language), list(facts.records)
    rows = [[escape_markdown(mode), *(str(counts[part]) for part in parts)] for mode, counts in facts.modes.items()]
    total = [f"**{say('all')}**", *(str(facts.records[part]) for part in parts)]
    table = markdown_table(
        [say("mode"), *(say(PART_TITLES[part]) for part in parts)], [*rows, total], "l" + "r" * len(parts)
    )
    dropped = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in facts.dropped.items())
    notes = [f"Split by {facts.split_by}"] + ([dropped] if dropped else [])
    if facts.decided:
        notes.append(
            "Labels by people: {changed} changed, {confirmed} confirmed, {added} parts added; {random_test} randomly "
            "picked parts are in the test set, {left_out} others were left out of it".format(**facts.decided)
        )
    if facts.pooled:
        notes.append(
            "{in_train} of the test source's {test_records} records are in the training source too, {unshared} would "
            "be left to test on: both were split as one source".format(**facts.pooled)
        )
    crossing, brought = facts.triplets["triplets_crossing"], facts.triplets["triplets_brought"]
    notes.append(f"{crossing} of {brought} triplets crossed the split.")
    return f"{table}\n\n{'; '.join(notes)}"


def changes_text(changes: DataChanges) -> str:
    """How a revision's data differ from the champion's."""
    modes = [[escape_markdown(mode), str(then), str(now)] for mode, (then, now) in changes.modes.items()]
    drifts = [
        f"- drift: the {drift.of} of mode {escape_markdown(drift.mode)} went from {drift.then:.4g} "
        f"to {drift.now:.4g} (p = {drift.p:.1e})"
        for drift in changes.drift
    ]
    paragraphs = [
        f"Against **{changes.against}** (`{changes.revision[:12]}`): {changes.added} records added, "
        f"{changes.removed} removed, {changes.relabelled} relabelled.",
        markdown_table(["mode", "then", "now"], modes, "lrr"),
        "\n".join(drifts) or "No mode's maps have drifted (Kolmogorov–Smirnov, 1 % over all tests).",
    ]
    return "\n\n".join(paragraphs)


def result_text(result: RetrainResult, language: str = "en") -> str:
    """The result of a retraining: its reasons, its comparison with the champion, and where the report is."""
    say = translator(language)
    report = Path(result.path).resolve() / "report.html"
    paragraphs = [
        f"# {say(result.status.upper())}" + (f": {result.release}" if result.release else ""),
        *_errors(result, say),
        _made_from(result, say),
        *(f"- {escape_markdown(say(reason))}" for reason in result.reasons),
        *_comparison(result, say),
        say("Champion: **{champion}**").format(champion=result.champion or say("none yet")),
        _link(say("Report"), report),
    ]
    return "\n\n".join(paragraphs)


def _made_from(result: RetrainResult, say: Translate) -> str:
    """Of what data the model was made, and how well it knows the modes; of good parts alone, what is not known."""
    source, revision = escape_markdown(result.train["source"]), result.train["revision"][:12]
    if "auroc" not in result.metrics:
        text = say("Made from the good parts of **{source}** at `{revision}`, without training; **{unknown}**.")
        return text.format(source=source, revision=revision, unknown=say(DETECTION_UNKNOWN))
    text = say("Trained on **{source}** at `{revision}`; verification AUROC **{auroc}**, mode accuracy **{accuracy}**.")
    figures = {name: f"{result.metrics[key]:.3f}" for name, key in (("auroc", "auroc"), ("accuracy", "mode_accuracy"))}
    return text.format(source=source, revision=revision, **figures)


def _errors(result: RetrainResult, say: Translate) -> list[str]:
    """Escapes and false alarms, beside the champion's on the same records where they were compared."""
    comparison, metrics = result.comparison or {}, result.metrics
    names = ("escapes", "false alarms")
    if comparison.get("escapes") and comparison.get("false_alarms"):
        champion = say("champion {version}").format(version=comparison["version"])
        head = ["", champion, *map(say, ("this model", "difference in points", "interval"))]
        entries = comparison["escapes"], comparison["false_alarms"]
        rows = [[say(name), *_error_cells(entry)] for name, entry in zip(names, entries, strict=True)]
        return [markdown_table(head, rows, "lrrrl")]
    if "good_fpr" in metrics and "good_tpr" not in metrics:
        return [f"{say('false alarms')} **{100 * metrics['good_fpr']:.1f} %**"]
    if "good_fpr" not in metrics:
        return []
    rates = zip(names, (1 - metrics["good_tpr"], metrics["good_fpr"]), strict=True)
    return [", ".join(f"{say(name)} **{100 * rate:.1f} %**" for name, rate in rates)]


def _error_cells(entry: dict[str, Any]) -> list[str]:
    """The errors of champion and challenger, and their difference in points with its interval."""
    counts = [
        f"{entry[who]} / {entry['n']} ({100 * entry[who] / entry['n']:.1f} %)" for who in ("champion", "challenger")
    ]
    low, high = (100 * end for end in entry["interval"])
    return [*counts, f"{100 * entry['difference']:+z.1f}", f"{low:+z.1f} to {high:+z.1f}"]


def _comparison(result: RetrainResult, say: Translate) -> list[str]:
    """The comparison with the champion, by the metric that decides and by the mode with the worst difference."""
    comparison, frozen, paragraphs = result.comparison, result.frozen, []
    if frozen is not None:
        text = say("Frozen test set **{version}**: {records} records.")
        paragraphs.append(text.format(version=frozen["version"], records=frozen["records"]))
    if comparison is None:
        return paragraphs
    if comparison["verdict"] not in result.reasons:
        verdict = escape_markdown(say(Sentence.from_json(comparison["verdict"], comparison.get("verdict_code"))))
        paragraphs.append(
            say("Against **{version}**: {verdict}.").format(version=comparison["version"], verdict=verdict)
        )
    if comparison.get("worst_mode"):
        worst = comparison["worst_mode"]
        mode = f"accuracy of mode {escape_markdown(worst['mode'])}, the worst of all"
        rows = [(comparison, metric_title(comparison["figure"])), (worst, mode)]
        cells = [[f"{row['difference']:+.4f}", metric, _interval(row["interval"])] for row, metric in rows]
        paragraphs.append(markdown_table(["difference", "of", "interval"], cells, "rll"))
    return paragraphs


def _interval(interval: list[float] | None) -> str:
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}" if interval else "too few records"


def sweep_text(folder: Path) -> str:
    """The table of a sweep, with links to the files in its folder."""
    links = "\n".join(f"- {_link(name, folder / name)}" for name in ("table.md", "figure.svg", "best.toml"))
    return f"{(folder / 'table.md').read_text(encoding='utf-8')}\n{links}"


def verdicts_text(result: ScoreResult, language: str = "en") -> str:
    """How many records are good, defect and unknown, how often verdicts are right, and where they are explained."""
    say, page = translator(language), Path(result.page or result.path).resolve()
    heading = say("{source} at `{revision}`, judged by **{release}**:")
    source = escape_markdown(result.source)
    paragraphs = [
        heading.format(source=source, revision=result.revision[:12], release=result.release),
        *(f"- {say(name)}: **{count}**" for name, count in result.counts.items()),
        *_labelled_rates(result, say),
        f"{_link(say('Why'), page)}, {say('all verdicts')}: `{Path(result.path).resolve()}`",
    ]
    return "\n\n".join(paragraphs)


def _labelled_rates(result: ScoreResult, say: Translate) -> list[str]:
    """How often verdicts agree with labels, where labels are known, and how many another release would change."""
    rows, paragraphs = [], []
    for name, title in (("false_alarms", "false alarms"), ("escapes", "escapes"), ("mode_accuracy", "mode accuracy")):
        if result.figures and (rate := getattr(result.figures, name)):
            low, high = rate.interval
            rows.append([say(title), f"{rate.rate:.3f}", f"{low:.3f} – {high:.3f}", f"{rate.count} / {rate.of}"])
    if rows:
        paragraphs.append(markdown_table([*map(say, ("by the labels", "rate", "interval", "records"))], rows, "lrlr"))
    if result.figures and result.figures.lacks_good:
        text = say("No record has the label {good}, which stands for good: all labelled ones count as defects.")
        paragraphs.append(text.format(good=f"**{escape_markdown(result.figures.good_label)}**"))
    if result.flips:
        text = say("**{flipped}** verdicts differ from those of **{against}**.")
        paragraphs.append(text.format(flipped=result.flips.flipped, against=result.flips.against))
    return paragraphs


def drift_text(result: DriftResult, language: str = "en") -> str:
    """The verdict on a drift, the charts that show it most clearly, and where the page is."""
    say, page = translator(language), Path(result.page).resolve()
    rows = [
        [
            say(chart.title) + ("" if chart.mode is None else f" ({escape_markdown(chart.mode)})"),
            *(f"{chart.then:.4g}", f"{chart.now:.4g}", f"{chart.p:.2g}"),
            "–" if chart.since is None else str(chart.since),
        ]
        for chart in result.charts[:5]
    ]
    against = say("{records} records of {source} at `{revision}` against **{release}**.")
    source = escape_markdown(result.source)
    paragraphs = [
        f"# {say(result.status.upper())}",
        against.format(records=result.records, source=source, revision=result.revision[:12], release=result.release),
        markdown_table([*map(say, ("series", "then", "now", "p", "since part"))], rows, "lrrrr"),
    ]
    if result.day > 1:
        series = [
            say(day.title) + (f" ({escape_markdown(day.mode)})" if day.mode else "") for day in result.remarkable_days
        ]
        text = say("Day {day} of this source. Not steady: {series}.")
        paragraphs.append(text.format(day=result.day, series=", ".join(series) or say("none")))
    if result.cells:
        cells = say("{count} cells of good parts moved (p {p}).")
        paragraphs.append(cells.format(count=result.cells.drifted, p=f"{result.cells.p:.2g}"))
    return "\n\n".join([*paragraphs, _link("Page", page)])
