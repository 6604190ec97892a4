"""Positions that were never trained: each left out in turn, on boards that were never seen either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.results import Stage
from tasks.evaluation.ablation import left_out_mode_summary
from tasks.folds import fold_metrics, make_fold_bank, plan_folds
from tasks.train import train


def unseen(name: str, stage: Stage, config: RunConfig) -> dict[str, Any]:
    """The means over the modes left out, as `kensa retrain` reports them with evaluate.unseen and score=patches."""
    config = replace(config, evaluate=EvaluateConfig(unseen=True, score="patches")).resolved()
    metrics = []
    for fold in plan_folds(stage, config):
        variant = make_fold_bank(stage, fold, config)
        metrics.append(fold_metrics(stage, variant, train(variant, config), fold, config).facts["figures"])
        print(name, fold.title, flush=True)
    return {"fold": name, "who": "unseen", "seed": config.seed, **left_out_mode_summary(tuple(metrics), config)["mean"]}


def table(rows: list[dict[str, Any]]) -> str:
    """One line for each board group."""
    columns = {
        "good_auroc_distance": "distance",
        "good_auroc_peak": "peak of the map",
        "good_auroc_fused": "fused",
        "good_auroc_patches": "patches",
        "caught": "found at a target of 5 % FPR",
        "novelty_auroc": "novelty against known positions",
    }
    lines = [f"| group | {' | '.join(columns.values())} |", "| --- |" + " ---: |" * len(columns)]
    lines += [f"| {row['fold']} | {' | '.join(f'{row[name]:.3f}' for name in columns)} |" for row in rows]
    return "\n".join(lines)
