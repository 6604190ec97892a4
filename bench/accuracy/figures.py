"""What each preset is worth on real sets: every fold, three seeds, means and spreads, as docs/figures.md.

    make figures DATA=folder-of-the-sets

Judged on board groups that were never trained on, on magnetic tiles split by groups of near duplicates, and on
solar cells split by record. Results are kept under bench/out: a run that was stopped goes on. The boards come first,
with one preset after the other.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.datasets import BOARDS, write_sets
from bench.accuracy.page import page
from bench.accuracy.unseen import unseen
from tasks.cache import cache
from tasks.config.fingerprints import MODEL_VERSION
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.files import digest_of, write_json
from tasks.core.results import Stage
from tasks.data.bank import Bank, load_bank
from tasks.download import download, resolve
from tasks.evaluation.holdout import baseline_metrics, calibrate_thresholds, holdout_metrics
from tasks.evaluation.scored_records import ScoredRecords, score_bank_part, score_part
from tasks.evaluation.thresholds import Rule, calibrate
from tasks.model.classifier import fit_prototypes, raw_map_baseline, rt_baseline
from tasks.model.distances import distance, trained_distance
from tasks.registry.loading import embedded_bank, load_tower
from tasks.registry.release_files import DEFECT_THRESHOLD
from tasks.train import train
from tasks.triplets import triplets

PRESETS, SEEDS = ("best", "notebook", "rt"), (42, 43, 44)
ROW_VERSION = 2  # of what a saved result holds; raised where a row gets a key
RULES = {"records": "target_fpr", "target_fpr": "target_fpr", "target_fpr_pac": "target_fpr_pac"}


def main(words: list[str] | None = None) -> int:
    """Make every figure that is not there yet, and write the page."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.figures", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings and results")
    command.add_argument("--page", type=Path, default=Path("docs/figures.md"))
    command.add_argument("--presets", nargs="+", choices=PRESETS, default=PRESETS, help="only these")
    command.add_argument("--unseen", action=argparse.BooleanOptionalAction, default=True, help="leave out positions")
    arguments = command.parse_args(words)
    folds, rows = write_sets(arguments.data, arguments.out / "sets"), []
    for row in _rows(folds, arguments.out, arguments.presets, BOARDS if arguments.unseen else ()):
        rows.append(row)
        write_json(arguments.out / "figures.json", rows)
    arguments.page.write_text(page(rows, f"{platform.machine()}, Python {platform.python_version()}"), encoding="utf-8")
    print(arguments.page)
    return 0


def _rows(
    folds: dict[str, tuple[Path, Path | None]], out: Path, presets: Iterable[str], unseen_on: Iterable[str]
) -> Iterator[dict[str, Any]]:
    """The raw maps, then each preset and seed on the boards and on the other sets, then unseen positions."""
    configs = {name: config_of(folders, out) for name, folders in folds.items()}
    for name, config in configs.items():
        yield from _baseline_rows(name, load_bank(triplets_of(config).path))
    for names in (BOARDS, [name for name in folds if name not in BOARDS]):
        for preset, seed, name in product(presets, SEEDS, names):
            yield train_and_evaluate(name, replace(configs[name], preset=preset, seed=seed).resolved(), out)
    for name in unseen_on:
        yield unseen(name, triplets_of(configs[name]), configs[name])


def config_of(folders: tuple[Path, Path | None], out: Path) -> RunConfig:
    """The run on one fold; a board that is its own source is not split by group once more."""
    plain = apply_overrides(RunConfig(data_folder=str(out / "data")), ["split.unit=record"] if folders[1] else [])
    return replace(plain, train=str(folders[0]), test=folders[1] and str(folders[1]))


def _baseline_rows(name: str, bank: Bank) -> Iterator[dict[str, Any]]:
    """The raw map in each distance; nothing is trained, so that there is no seed."""
    for baseline in (
        raw_map_baseline(distance("euclidean"), bank),
        raw_map_baseline(distance("cosine"), bank),
        rt_baseline(bank),
    ):
        metrics = baseline_metrics(score_bank_part(baseline, bank, "test"))
        yield {"fold": name, "who": baseline.name, "seed": None, **metrics.as_json()}


def triplets_of(config: RunConfig) -> Stage:
    """The triplets stage of a run, by the steps before it."""
    sources = [(config.train, False), *([(config.test, True)] if config.test else [])]
    cached = [
        cache(download(resolve(source, None, config.data_path)), config.data, config.data_path, held)
        for source, held in sources
    ]
    return triplets(cached[0], cached[1] if config.test else None, config)


def result_name(fold: str, config: RunConfig) -> str:
    """Names a result: the fold, all that training reads of resolved settings, and the versions of code and row."""
    versions = MODEL_VERSION, ROW_VERSION
    return digest_of(fold, versions, asdict(config.tower), asdict(config.fit), config.seed)[:16]


def train_and_evaluate(name: str, config: RunConfig, out: Path) -> dict[str, Any]:
    """The metrics of one training on the test part; saved in a file. config: resolved."""
    path = out / "results" / f"{result_name(name, config)}.json"
    if path.exists():
        return json.loads(path.read_text())
    stage = triplets_of(config)
    records = embedded_bank(load_tower(train(stage, config)), load_bank(stage.path), config)
    classifier = fit_prototypes("model", records, trained_distance(config.fit), config.fit.prototype)
    calibration = score_part(classifier, records, "calibrate")
    test = score_part(classifier, records, "test")
    metrics = holdout_metrics(test, calibrate_thresholds(calibration, config), test.resampling(config)).as_json()
    row = {"fold": name, "who": config.preset, "seed": config.seed, **_flat(metrics), "test": len(test)}
    row |= _errors(test, metrics) | {"rules": rule_errors(calibration, test, config)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    print({key: round(row[key], 4) for key in ("auroc", "mode_accuracy")}, name, config.preset, config.seed, flush=True)
    return row


def _flat(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if isinstance(value, float | int)}


def _errors(test: ScoredRecords, metrics: dict[str, Any]) -> dict[str, float]:
    """False alarms and good records as counts, to be pooled over folds, and the balanced accuracy."""
    good = int(test.good.sum())
    balanced = np.mean([metrics["good_tpr"], 1 - metrics["good_fpr"]])
    return {"good": good, "alarms": round(metrics["good_fpr"] * good), "balanced_accuracy": float(balanced)}


def rule_errors(calibration: ScoredRecords, test: ScoredRecords, config: RunConfig) -> dict[str, dict[str, float]]:
    """Shares of good parts stopped and of defects passed on the test part, by each rule's own threshold.

    The rules learn how far lots differ from the groups of the calibration records; `records` ignores the groups.
    """
    by_group = calibration.resampling(config)
    errors = {}
    for name, rule in RULES.items():
        units = replace(by_group, units=np.arange(len(calibration)), kind="record") if name == "records" else by_group
        named = Rule(rule, config.evaluate.target, config.evaluate.target_confidence)
        unit = calibration.classifier.unit
        threshold = calibrate(DEFECT_THRESHOLD, calibration.score, ~calibration.good, named, units, unit)
        if threshold.value is not None:
            stopped = test.score > threshold.value
            alarms, escapes = stopped[test.good].mean(), 1 - stopped[~test.good].mean()
            errors[name] = {"alarms": float(alarms), "escapes": float(escapes), "lots": threshold.lots or 0}
    return errors


if __name__ == "__main__":
    sys.exit(main())
