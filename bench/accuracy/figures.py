"""What each preset is worth on real sets: every fold, three seeds, means and spreads, as docs/figures.md.

    make figures DATA=folder-of-the-sets

Judged on board groups that were never trained on, and on magnetic tiles split by groups of near
duplicates. Results are kept under bench/out: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.datasets import write_sets
from bench.accuracy.page import page
from bench.accuracy.unseen import GROUPS, unseen
from tasks.cache import cache
from tasks.config.fingerprints import MODEL_VERSION
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.files import digest_of, write_json
from tasks.core.results import Stage
from tasks.data.bank import Bank, load_bank
from tasks.download import download, resolve
from tasks.evaluation.holdout import baseline_metrics, calibrate_thresholds, holdout_metrics
from tasks.evaluation.scored_records import score_bank_part, score_part
from tasks.model.classifier import fit_prototypes, raw_map_baseline, rt_baseline
from tasks.model.distances import distance, trained_distance
from tasks.model.embeddings import EmbeddedBank
from tasks.registry.loading import load_encoder
from tasks.train import train
from tasks.triplets import triplets

PRESETS, SEEDS = ("best", "rt", "notebook"), (42, 43, 44)


def main(words: list[str] | None = None) -> int:
    """Make every figure that is not there yet, and write the page."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.figures", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings and results")
    command.add_argument("--page", type=Path, default=Path("docs/figures.md"))
    arguments = command.parse_args(words)
    folds = write_sets(arguments.data, arguments.out / "sets")
    rows = [row for name, folders in folds.items() for row in _fold(name, folders, arguments.out)]
    write_json(arguments.out / "figures.json", rows)
    arguments.page.write_text(page(rows, f"{platform.machine()}, Python {platform.python_version()}"), encoding="utf-8")
    print(arguments.page)
    return 0


def _fold(name: str, folders: tuple[Path, Path | None], out: Path) -> list[dict[str, Any]]:
    """Every preset and seed on one fold, and the raw map's baselines."""
    words = ["split.unit=record"] if folders[1] else []  # the groups to be evaluated are in their own source already
    plain = apply_overrides(RunConfig(data_folder=str(out / "data")), words)
    config = replace(plain, train=str(folders[0]), test=folders[1] and str(folders[1]))
    stage = triplets_of(config)
    bank, rows = load_bank(stage.path), []
    for baseline in (
        raw_map_baseline(distance("euclidean"), bank),
        raw_map_baseline(distance("cosine"), bank),
        rt_baseline(bank),
    ):
        metrics = baseline_metrics(score_bank_part(baseline, bank, "test"))
        rows.append({"fold": name, "who": baseline.name, "seed": None, **metrics.as_json()})
    for preset in PRESETS:
        for seed in SEEDS:
            rows.append(
                train_and_evaluate(name, stage, bank, replace(config, preset=preset, seed=seed).resolved(), out)
            )
    return [*rows, *([unseen(name, stage, config)] if name in GROUPS else [])]


def triplets_of(config: RunConfig) -> Stage:
    """The triplets stage of a run, by the steps before it."""
    sources = [(config.train, False), *([(config.test, True)] if config.test else [])]
    cached = [
        cache(download(resolve(source, None, config.data_path)), config.data, config.data_path, held)
        for source, held in sources
    ]
    return triplets(cached[0], cached[1] if config.test else None, config)


def result_name(fold: str, config: RunConfig) -> str:
    """Names a result: the fold, all that training reads of resolved settings, and the version of its code."""
    return digest_of(fold, MODEL_VERSION, asdict(config.tower), asdict(config.fit), config.seed)[:16]


def train_and_evaluate(name: str, stage: Stage, bank: Bank, config: RunConfig, out: Path) -> dict[str, Any]:
    """The metrics of one training on the test part; saved in a file."""
    path = out / "results" / f"{result_name(name, config)}.json"
    if path.exists():
        return json.loads(path.read_text())
    records = EmbeddedBank(load_encoder(train(stage, config)), bank)
    classifier = fit_prototypes("model", records, trained_distance(config.fit), config.fit.prototype)
    thresholds = calibrate_thresholds(score_part(classifier, records, "calibrate"), config)
    test = score_part(classifier, records, "test")
    metrics = holdout_metrics(test, thresholds, test.resampling(config)).as_json()
    row = {"fold": name, "who": config.preset, "seed": config.seed, **_flat(metrics)}
    row |= {"test": len(bank.rows("test")), **_errors(bank, metrics)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    print({key: round(row[key], 4) for key in ("auroc", "mode_accuracy")}, name, config.preset, config.seed, flush=True)
    return row


def _flat(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if isinstance(value, float | int)}


def _errors(bank: Bank, metrics: dict[str, Any]) -> dict[str, float]:
    """False alarms and good records as counts, to be pooled over folds, and the balanced accuracy."""
    good = int(bank.good[bank.rows("test")].sum())
    balanced = np.mean([metrics["good_tpr"], 1 - metrics["good_fpr"]])
    return {"good": good, "alarms": round(metrics["good_fpr"] * good), "balanced_accuracy": float(balanced)}


if __name__ == "__main__":
    sys.exit(main())
