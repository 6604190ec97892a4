"""Concludes a sweep: the sealed folder with its tables, its picture and the best settings as a ready file.

table.md, table.csv   a row for each combination: mean and interval over seeds, seconds, what failed
trials.parquet        a row for each trial: settings, seed, every metric, or the reason of its failure
figure.svg            the metric over each setting
best.toml             the chosen settings, in the form of `kensa retrain --settings` and of a line in kensa.toml
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.config.fingerprints import sweep_digest
from tasks.config.overrides import read_value, to_overrides
from tasks.config.run import RunConfig
from tasks.config.search_space import OPTIMISM_NOTE, Candidate, Sweep
from tasks.core.errors import NoTrialLeft
from tasks.core.files import ensure_writable
from tasks.core.results import PinnedSource, SweepResult, TrialResult
from tasks.core.stages import get_or_make_stage
from tasks.evaluation.ranking import Ranking, RankingRow, rank, why_not
from tasks.report.sweep_chart import sweep_chart


def conclude_sweep(
    plan: Sweep, train: PinnedSource, test: PinnedSource | None, trials: list[TrialResult]
) -> SweepResult:
    """The sweep's folder with the results of its trials; raises NoTrialLeft where none has the metric."""
    candidates = plan.candidates()
    ranking = rank(candidates, trials, plan.figure, plan.run.evaluate.confidence)
    if ranking is None:
        raise NoTrialLeft(f"all {len(trials)} trials failed, the first: {why_not(trials[0], plan.figure)}")
    rows = [_row_dict(row, ranking) for row in ranking.rows]
    failed = sum(len(row.reasons) for row in ranking.rows)

    def make(draft: Path) -> dict[str, Any]:
        table = pd.DataFrame({**row["settings"], **row} for row in rows).drop(columns="settings")
        table.to_csv(draft / "table.csv", index=False, encoding="utf-8")
        _trials(candidates, trials).to_parquet(draft / "trials.parquet", index=False)
        (draft / "table.md").write_text(markdown(plan, train, ranking), encoding="utf-8")
        (draft / "figure.svg").write_bytes(sweep_chart(ranking, plan.axes(), plan.figure).content)
        (draft / "best.toml").write_text(settings_file(plan, ranking), encoding="utf-8")
        return {
            "figure": plan.figure,
            "settings": plan.run.fingerprint_fields(),
            "grid": plan.grid,
            "seeds": plan.seeds,
            "train": asdict(train),
            "test": test and asdict(test),
            "chosen": rows[ranking.rows.index(ranking.chosen)],
            "note": OPTIMISM_NOTE,
        }

    name = re.sub(r"[^a-z0-9]+", "-", train.title.partition("@")[0].lower()).strip("-") or "source"
    values = [candidate.values for candidate in candidates]
    digest = sweep_digest(plan.run, values, plan.figure, [asdict(trial) for trial in trials])
    stage = get_or_make_stage(ensure_writable(Path(plan.out)), name, digest, make)
    return SweepResult(stage.path, plan.figure, stage.facts["chosen"], rows, len(trials), failed)


def _row_dict(row: RankingRow, ranking: Ranking) -> dict[str, Any]:
    """A row of the table as plain values."""
    mark = "tied with the best" if row in ranking.tied else ""
    return {
        "settings": _typed(row.candidate),
        "seeds": len(row.figures),
        "mean": row.mean,
        "low": row.low,
        "high": row.high,
        "seconds": row.seconds,
        "parameters": row.parameters,
        "failed": "; ".join(row.reasons),
        "verdict": "chosen" if row is ranking.chosen else mark,
    }


def _typed(candidate: Candidate) -> dict[str, Any]:
    return {key: read_value(candidate.config, key) for key in candidate.values}


def _trials(candidates: list[Candidate], trials: list[TrialResult]) -> pd.DataFrame:
    plain = ("seconds", "parameters", "best_epoch")
    return pd.DataFrame(
        {
            **_typed(candidates[trial.candidate]),
            "seed": trial.seed,
            **trial.facts.get("figures", {}),
            **{name: trial.facts.get(name) for name in plain},
            "failed": trial.failed,
        }
        for trial in trials
    )


def markdown(plan: Sweep, train: PinnedSource, ranking: Ranking) -> str:
    """The table, with the explanations that its reader needs."""
    keys = list(ranking.chosen.candidate.values)
    head = [*keys, f"{plan.figure}, mean", "interval", "seeds", "seconds", "parameters", ""]
    lines = [
        f"# Sweep of {train.source} at {train.revision[:12]}",
        verdict(plan, ranking),
        OPTIMISM_NOTE,
        "\n".join([f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |", *_lines(ranking)]),
        f"Interval: Student's t over seeds, {plan.run.evaluate.confidence:.0%}; of few seeds it is rough. "
        "Seconds: one training.",
        "\n".join(f"- {row.candidate.title}: {reason}" for row in ranking.rows for reason in row.reasons),
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _lines(ranking: Ranking) -> list[str]:
    lines = []
    for row in ranking.rows:
        mark = _row_dict(row, ranking)["verdict"] or ("failed" if row.reasons else "")
        cells = [*row.candidate.values.values(), number(row.mean), span(row), str(len(row.figures))]
        cells += ["–" if row.seconds is None else f"{row.seconds:.1f}", str(row.parameters or "–")]
        lines.append(f"| {' | '.join([*cells, mark])} |")
    return lines


def number(value: float | None) -> str:
    """A metric with four decimals; a dash for none."""
    return "–" if value is None else f"{value:.4f}"


def span(row: RankingRow) -> str:
    """A row's interval; a dash for none."""
    return "–" if row.low is None else f"{row.low:.4f} to {row.high:.4f}"


def verdict(plan: Sweep, ranking: Ranking) -> str:
    """Which combination was chosen, and how certain that is."""
    best, chosen, others = ranking.tied[0], ranking.chosen, len(ranking.tied) - 1
    choice = f"Chosen: {chosen.candidate.title} ({plan.figure} {number(chosen.mean)})."
    if best.low is None:
        same = f"{others + 1} combinations have the same mean, and this is the simplest. " if others else ""
        return f"{choice} {same}With one seed, its lead may be chance."
    if not others:
        return f"{choice} No other combination's mean lies within its interval, {span(chosen)}."
    within = (
        f"{others + 1} combinations cannot be distinguished: their means lie within the best's interval, {span(best)}."
    )
    if chosen is best:
        return f"{choice} {within} It has the best mean, and none of them is simpler."
    return (
        f"{choice} {within} {best.candidate.title} has the best mean, {number(best.mean)}; the chosen one is simpler."
    )


def settings_file(plan: Sweep, ranking: Ranking) -> str:
    """`best.toml`: the keys of a product line in kensa.toml, its seed the sweep's first."""
    config: RunConfig = replace(ranking.chosen.candidate.config, seed=plan.run.seed)
    keys = {"train": config.train, "test": config.test, "preset": config.preset, "set": to_overrides(config)}
    values = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items() if value)
    note = "Chosen on the validation part, so its metric is optimistic. This evaluates it on the test part:"
    return f"# {verdict(plan, ranking)}\n# {note}\n#   kensa retrain --settings best.toml\n{values}\n"
