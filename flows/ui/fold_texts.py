"""The texts of the extra trainings that test the evaluation: modes left out or permuted, groups in turn."""

from __future__ import annotations

from typing import Any

from flows.ui.markdown import markdown_table
from tasks.core.text import escape_markdown

CHANCE = {True: "✓ chance", None: "▲ too few records to tell it from chance", False: "✗ not chance, as it should be"}
SCORES = ("distance", "peak", "fused", "patches")
CROSSED = {
    "good_tpr": "defects caught",
    "good_fpr": "good parts stopped",
    "good_auroc": "good-or-defect AUROC",
    "mode_accuracy": "mode accuracy",
}
MAX_GROUPS = 60  # rows of a table


def unseen_text(unseen: dict[str, Any] | None, permutation: dict[str, Any] | None) -> str:
    """The results of the folds; see tasks/evaluation/ablation.py for the summaries, of which either may be None."""
    paragraphs = [] if unseen is None else [_unseen_modes(unseen)]
    if permutation is not None:
        paragraphs += [f"Modes permuted: {escape_markdown(reason)}" for reason in permutation["failed"]]
    if permutation is not None and permutation["auroc"]:
        values = ", ".join(f"{value:.3f}" for value in permutation["auroc"])
        verdict = CHANCE[permutation["chance"]]
        paragraphs.append(
            f"Modes permuted, verification AUROC {values}; mean **{permutation['mean']:.3f}**: {verdict}."
        )
    return "\n\n".join(paragraphs)


def crossed_text(cross: dict[str, Any]) -> str:
    """What cross-fitting by group says of new groups; `cross` is that entry of report.json (CrossFitting)."""
    paragraphs = [
        f"Set {number} was not tested: {escape_markdown(reason)}" for number, reason in cross["failed"].items()
    ]
    if not cross["metrics"]:
        return "\n\n".join([*paragraphs, "Fewer than two sets of groups could be tested."])
    metrics = {title: cross["metrics"][name] for name, title in CROSSED.items() if name in cross["metrics"]}
    rows = [
        [title, f"{metric['value']:.3f}", "{:.3f} – {:.3f}".format(*metric["interval"])]
        for title, metric in metrics.items()
    ]
    groups = [
        [escape_markdown(name), str(group["n"]), *(_value(group[rate]) for rate in ("fpr", "tpr", "mode_accuracy"))]
        for name, group in list(cross["by_group"].items())[:MAX_GROUPS]
    ]
    summary = f"{cross['sets']} models, each trained without one set of {cross['groups']} groups, judged that set."
    tables = [
        markdown_table(["every group tested once", "value", "interval"], rows, "lrr"),
        markdown_table(["group", "records", "good parts stopped", "defects caught", "mode accuracy"], groups, "lrrrr"),
    ]
    return "\n\n".join([summary, *paragraphs, *tables])


def _unseen_modes(unseen: dict[str, Any]) -> str:
    """The table of the modes that were left out, and their means."""
    if not unseen["modes"]:
        return "No mode can be left out: each must hold only defects, and have test records and two modes beside it."
    mean = unseen["mean"]
    names = [name for name in SCORES if f"good_auroc_{name}" in mean]
    head = ["mode not trained", "records", *(f"good or defect, {name}" for name in names), "detected", "novelty"]
    rows = [_unseen_row(mode, metrics, names) for mode, metrics in unseen["modes"].items()]
    means = [*(mean[f"good_auroc_{name}"] for name in names), mean.get("caught"), mean.get("novelty_auroc")]
    return markdown_table(head, [*rows, ["**mean**", "", *map(_value, means)]], "l" + "r" * (len(head) - 1))


def _unseen_row(mode: str, metrics: dict[str, Any], scores: list[str]) -> list[str]:
    if "failed" in metrics:
        return [escape_markdown(mode), escape_markdown(metrics["failed"]), *[""] * (len(scores) + 2)]
    aurocs = [metrics.get("scores", {}).get(name, {}).get("auroc") for name in scores]
    values = [*aurocs, metrics.get("caught"), metrics["novelty"]["auroc"]]
    return [escape_markdown(mode), str(metrics["n"]), *map(_value, values)]


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
