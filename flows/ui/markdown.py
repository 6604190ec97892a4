"""Markdown for the Prefect UI: text made harmless, and what takes a table or several lines to tell."""

from __future__ import annotations

from typing import Any

from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.text import escape_markdown
from tasks.report.translation import Translate

SIGNS = {True: "✓ a coin", None: "▲ too few records to tell it from a coin", False: "✗ not the coin that it should be"}


SCORES = ("distance", "peak", "fused")


def unseen_text(unseen: dict[str, Any] | None, permutation: dict[str, Any] | None) -> str:
    """What the folds showed; see tasks/evaluation/ablation.py for the summaries, of which either may be None."""
    lines = [] if unseen is None else _modes(unseen)
    if permutation is not None:
        lines += ["", *(f"Modes dealt out anew: {escape_markdown(why)}" for why in permutation["failed"])]
    if permutation is not None and permutation["auroc"]:
        values = ", ".join(f"{value:.3f}" for value in permutation["auroc"])
        sign = SIGNS[permutation["chance"]]
        lines += ["", f"Modes dealt out anew, pair AUROC {values}; mean **{permutation['mean']:.3f}**: {sign}."]
    return "\n".join(lines)


def _modes(found: dict[str, Any]) -> list[str]:
    """The table of the modes that were left out, and their means."""
    if not found["modes"]:
        return ["No mode can be left out: none holds defects alone and has test records and two modes beside it."]
    mean = found["mean"]
    names = [name for name in SCORES if f"good_auroc_{name}" in mean]
    heads = ["mode never trained", "records", *(f"good or defect, {name}" for name in names), "caught", "novelty"]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for mode, one in found["modes"].items():
        if "failed" in one:
            lines.append(f"| {escape_markdown(mode)} | {escape_markdown(one['failed'])} |" + " |" * (len(heads) - 2))
            continue
        values = [one.get("scores", {}).get(name, {}).get("auroc") for name in names]
        lines.append(_row(escape_markdown(mode), str(one["n"]), *values, one.get("caught"), one["novelty"]["auroc"]))
    means = [mean[f"good_auroc_{name}"] for name in names]
    return [*lines, _row("**mean**", "", *means, mean.get("caught"), mean.get("novelty_auroc"))]


def _row(mode: str, records: str, *values: float | None) -> str:
    cells = ["–" if value is None else f"{value:.3f}" for value in values]
    return f"| {' | '.join([mode, records, *cells])} |"


def _head(say: Translate, *titles: str) -> str:
    return f"| {' | '.join(map(say, titles))} |"


def verdict_lines(scored: ScoreResult, say: Translate = str) -> list[str]:
    """What verdicts are worth where labels are known, and how many another release would change."""
    lines = []
    for name, title in (("false_alarms", "false alarms"), ("escapes", "escapes"), ("mode_accuracy", "mode accuracy")):
        if scored.figures and (rate := getattr(scored.figures, name)):
            low, high = rate.interval
            lines.append(f"| {say(title)} | {rate.rate:.3f} | {low:.3f} – {high:.3f} | {rate.count} / {rate.of} |")
    if lines:
        heads = _head(say, "by the labels", "rate", "interval", "records")
        lines = ["\n".join([heads, "| --- | ---: | --- | ---: |", *lines])]
    if scored.flips:
        changed = say("**{flipped}** verdicts differ from those of **{against}**.")
        lines.append(changed.format(flipped=scored.flips.flipped, against=scored.flips.against))
    return lines


def drift_lines(found: DriftResult, say: Translate = str) -> list[str]:
    """The verdict on a drift, and the charts that are clearest."""
    rows = [_head(say, "series", "then", "now", "p", "since part"), "| --- | ---: | ---: | ---: | ---: |"]
    for chart in found.charts[:5]:
        mode = "" if chart.mode is None else f" ({escape_markdown(chart.mode)})"
        since = "–" if chart.since is None else chart.since
        rows.append(f"| {say(chart.title)}{mode} | {chart.then:.4g} | {chart.now:.4g} | {chart.p:.2g} | {since} |")
    against = say("{records} records of {source} at `{revision}` against **{release}**.").format(
        records=found.records, source=escape_markdown(found.source), revision=found.revision[:12], release=found.release
    )
    lines = [f"# {say(found.status.upper())}", against, "\n".join(rows)]
    if found.cells:
        moved = say("{count} cells of good parts moved (p {p}).")
        lines.append(moved.format(count=found.cells.drifted, p=f"{found.cells.p:.2g}"))
    return lines
