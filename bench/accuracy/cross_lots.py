"""False alarms and escapes on a lot never seen, by thresholds of the calibration part and of `evaluate.cross`.

    python -m bench.accuracy.cross_lots --data folder-of-the-sets

Each circuit board is left out in turn, with three seeds. The calibration part holds other records of the boards that
were trained on; with `evaluate.cross` each of these boards is scored by a model that was trained without it.
Trainings are kept under bench/out: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.accuracy.datasets import BOARDS, write_sets
from bench.accuracy.figures import SEEDS, config_of, triplets_of
from tasks.config.run import EvaluateConfig, RunConfig
from tasks.data.bank import load_bank
from tasks.evaluation.cross_fitting import CrossedSets
from tasks.evaluation.scored_records import OutOfFoldScores, ScoredRecords, score_part
from tasks.evaluation.thresholds import Rule
from tasks.folds import fold_metrics, make_fold_bank, plan_folds
from tasks.registry.loading import embedded_bank, load_tower, trained_classifier
from tasks.train import train

RULES = ("target_fpr", "target_fpr_pac")
Rates = tuple[float, float]  # of good parts stopped, of defects passed


def main(words: list[str] | None = None) -> int:
    """Print a row for each board, threshold and rule: means over the seeds, and the worst seed's false alarms."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.cross_lots", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings")
    command.add_argument("--boards", nargs="+", choices=BOARDS, default=BOARDS, help="only these")
    arguments = command.parse_args(words)
    folds = write_sets(arguments.data, arguments.out / "sets")
    print("| board | threshold from | rule | false alarms | worst seed | escapes |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for board in arguments.boards:
        config = config_of(folds[board], arguments.out)
        by_seed = [dict(errors_of(replace(config, seed=seed).resolved())) for seed in SEEDS]
        for source, rule in by_seed[0]:
            alarms, escapes = np.array([errors[source, rule] for errors in by_seed]).T
            means = f"{alarms.mean():.3f} | {alarms.max():.3f} | {escapes.mean():.3f}"
            print(f"| {board} | {source} | `{rule}` | {means} |", flush=True)
    return 0


def errors_of(config: RunConfig) -> Iterator[tuple[tuple[str, str], Rates]]:
    """The rates on the test source by each threshold and rule; config: resolved, with a test source."""
    stage = triplets_of(config)
    records = embedded_bank(load_tower(train(stage, config)), load_bank(stage.path), config)
    classifier = trained_classifier(records, config)
    calibration, test = (score_part(classifier, records, part) for part in ("calibrate", "test"))
    lots = len(np.unique(calibration.group))
    crossed = _out_of_fold(replace(config, evaluate=replace(config.evaluate, cross=lots)))
    for rule in RULES:
        settings = replace(config.evaluate, rule=rule)
        yield ("calibration part", rule), _rates(test, calibration, settings, config)
        yield ("`evaluate.cross`", rule), _rates(test, crossed, settings, config)


def _out_of_fold(config: RunConfig) -> OutOfFoldScores:
    stage, folds = triplets_of(config), []
    for fold in plan_folds(stage, config):
        variant = make_fold_bank(stage, fold, config)
        folds.append(fold_metrics(stage, variant, train(variant, config), fold, config).facts["figures"])
    scores = CrossedSets.of(tuple(folds), config)
    return scores.all


def _rates(
    test: ScoredRecords, scores: ScoredRecords | OutOfFoldScores, settings: EvaluateConfig, config: RunConfig
) -> Rates:
    threshold, _ = Rule.of(settings).cut(scores.score, ~scores.good, scores.resampling(config).units)
    stopped = test.score > threshold
    return float(stopped[test.good].mean()), float(1 - stopped[~test.good].mean())


if __name__ == "__main__":
    sys.exit(main())
