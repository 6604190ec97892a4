"""What enrolling is worth: a mode that was never trained from a few parts, and a lot never seen from ten good parts.

    python -m bench.accuracy.enrolment --data folder-of-the-sets

Modes: each position of a defect is left out of the training in turn (the first board is left out, too), and each kind
of defect of the simulated part. Then it is enrolled from 5, 10 or 20 of its parts, drawn again and again. Lots: each
board is left out in turn, with three seeds, and enrolled from ten of its good parts, drawn again and again; the others
tell false alarms and escapes; the same with all its values multiplied. Trainings are kept under bench/out: a run that
was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import t

from bench.accuracy.datasets import BOARDS, write_sets
from bench.accuracy.figures import SEEDS, config_of, triplets_of
from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.errors import CannotEnrol
from tasks.core.results import Fold, Stage
from tasks.data.bank import Bank, load_bank
from tasks.enrolment.lots import enrol_lot, require_defects_found
from tasks.enrolment.modes import HeldOutRecords, ModeEvidence, enrol_mode, require_no_harm, require_recall
from tasks.enrolment.parts import MIN_LOT_PARTS, EnrolledParts
from tasks.evaluation.holdout import calibrate_thresholds, collect_scores
from tasks.evaluation.scored_records import score_part
from tasks.folds import make_fold_bank, plan_folds
from tasks.model.embeddings import Embedded
from tasks.registry.loading import CalibratedClassifier, embedded_bank, load_tower, trained_classifier
from tasks.registry.release_files import CalibrationScores
from tasks.scoring.verdicts import predict_embedded
from tasks.train import train

COUNTS, DRAWS = (5, 10, 20), 20  # parts of a mode; how often parts are drawn
LOT_DRAWS = 60
GAINS = (1.0, 1.5, 2.0)  # by which all values of the lot are multiplied: a lot as it is, and ones that are far off
MARGIN, RECALL = 0.05, 0.8  # the defaults of `kensa enrol`
Rates = tuple[float, float]  # of good parts stopped, of defects passed


def main(words: list[str] | None = None) -> int:
    """Print both tables."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.enrolment", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings")
    arguments = command.parse_args(words)
    folds = write_sets(arguments.data, arguments.out / "sets")
    plain = RunConfig(data_folder=str(arguments.out / "data"))
    print_modes({"position": config_of(folds[BOARDS[0]], arguments.out), "simulated part": plain})
    boards = {name: config_of(folds[name], arguments.out) for name in BOARDS}
    for gain in GAINS:
        print_lots(boards, gain)
    return 0


@dataclass(frozen=True)
class Trained:
    """A trained classifier with its thresholds and scores, and a bank whose records are embedded on demand."""

    classifier: CalibratedClassifier
    scores: CalibrationScores
    bank: Bank
    config: RunConfig

    @classmethod
    def of(cls, stage: Stage, bank: Bank, config: RunConfig) -> Trained:
        """Trained on the bank of `stage`; bank: of the whole source."""
        trained_on = load_bank(stage.path)
        records = embedded_bank(load_tower(train(stage, config)), trained_on, config)
        classifier = trained_classifier(records, config)
        calibration, test = (score_part(classifier, records, part) for part in ("calibrate", "test"))
        thresholds = {item.name: item for item in calibrate_thresholds(calibration, config)}
        anchors = trained_on.anchors.astype(np.float64)
        scores = collect_scores(calibration, test, (calibration.resampling(config), test.resampling(config)))
        return cls(CalibratedClassifier(classifier, anchors, config.data, thresholds), scores, bank, config)

    def embed(self, rows: np.ndarray) -> Embedded:
        """The records at `rows` of the bank."""
        return self.classifier.classifier.embed(np.asarray(self.bank.maps[rows]))

    def parts(self, rows: np.ndarray, embedded: Embedded, chosen: np.ndarray) -> EnrolledParts:
        """Some of the records at `rows`, which are embedded already."""
        picked = rows[chosen]
        maps, names = np.asarray(self.bank.maps[picked]), np.full(len(picked), "")
        return EnrolledParts(maps, embedded.take(chosen), self.bank.hash[picked], self.bank.group[picked], names)

    def held_out(self, rows: np.ndarray) -> HeldOutRecords:
        """The records at `rows` as those on which verdicts may change."""
        mode = np.array(self.bank.modes)[self.bank.mode[rows]]
        maps = np.asarray(self.bank.maps[rows])
        return HeldOutRecords(maps, self.embed(rows), mode, self.bank.good[rows], np.arange(len(rows)))


def print_modes(configs: dict[str, RunConfig]) -> None:
    """A row for each set and number of parts: means over its modes, with Student's interval over them."""
    print("| set | parts | recall when left out | recall of new parts | verdicts changed | enrolled |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, plain in configs.items():
        config = replace(plain, evaluate=EvaluateConfig(unseen=True)).resolved()
        stage = triplets_of(config)
        by_mode = [list(mode_rows(stage, fold, config)) for fold in plan_folds(stage, config)]
        for count, rows in zip(COUNTS, np.swapaxes(by_mode, 0, 1), strict=True):
            cells = " | ".join(_mean(column) for column in rows.T)
            print(f"| {name}, {len(rows)} modes | {count} | {cells} |", flush=True)


def mode_rows(stage: Stage, fold: Fold, config: RunConfig) -> Iterator[np.ndarray]:
    """For each of COUNTS the four figures of the fold's mode, means over the draws."""
    bank = load_bank(stage.path)
    trained = Trained.of(make_fold_bank(stage, fold, config), bank, config)
    of_mode = bank.mode == bank.modes.index(fold.name)
    pool, new = (np.flatnonzero(of_mode & (bank.part == part)) for part in (0, 3))
    others = trained.held_out(np.setdiff1d(bank.rows("test"), new))
    embedded, unseen, rng = trained.embed(pool), trained.held_out(new), np.random.default_rng(config.seed)
    for count in COUNTS:
        rows = []
        for _ in range(DRAWS):
            parts = trained.parts(pool, embedded, rng.choice(len(pool), min(count, len(pool)), replace=False))
            kind = config.fit.prototype
            learnt, evidence = enrol_mode(
                trained.classifier, kind, fold.name, parts, others, config.evaluate.confidence
            )
            nearest = predict_embedded(learnt, unseen.maps, unseen.embedded).mode == len(bank.modes) - 1
            rows.append((evidence.recall.value, nearest.mean(), evidence.changed.value, _passes(fold.name, evidence)))
        yield np.mean(rows, axis=0)


def _passes(name: str, evidence: ModeEvidence) -> float:
    return min(
        _accepts(lambda: require_recall(name, evidence, RECALL)),
        _accepts(lambda: require_no_harm(name, evidence, MARGIN)),
    )


def _accepts(check: Callable[[], None]) -> float:
    """1 where the check raises nothing, else 0."""
    try:
        check()
    except CannotEnrol:
        return 0.0
    return 1.0


def print_lots(configs: dict[str, RunConfig], gain: float) -> None:
    """A row for each board: false alarms and escapes before and after, of draws that are not refused."""
    heads = "| board | enrolled | false alarms before | after | worst tenth | escapes before | after | worst tenth |"
    print(f"\nAll values of the lot times {gain:g}:\n\n{heads}")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    changes = []
    for name, config in configs.items():
        seeds = [replace(config, seed=seed).resolved() for seed in SEEDS]
        drawn = np.concatenate([lot_rates(seed, gain) for seed in seeds])
        accepted = drawn[drawn[:, 0] == 1, 1:]
        if not len(accepted):
            print(f"| {name} | 0.000 | | | | | | |")
            continue
        before, after = accepted[:, :2], accepted[:, 2:]
        changes.append(after.mean(axis=0) - before.mean(axis=0))
        worst = np.quantile(after, 0.9, axis=0)
        cells = [f"{before[:, i].mean():.3f} | {after[:, i].mean():.3f} | {worst[i]:.3f}" for i in (0, 1)]
        print(f"| {name} | {drawn[:, 0].mean():.3f} | {' | '.join(cells)} |", flush=True)
    alarms, escapes = np.array(changes).T
    print(f"\nChange over the boards: false alarms {_mean(alarms)}, escapes {_mean(escapes)}")


def lot_rates(config: RunConfig, gain: float) -> np.ndarray:
    """Whether it is enrolled, false alarms and escapes before and after (draws, 5); all values of the lot times gain.

    config: resolved, with a test source of one lot. What would be lost is judged on defects of the calibration part,
    which are of other lots, as a parent's test records are.
    """
    stage = triplets_of(config)
    trained = Trained.of(stage, load_bank(stage.path), config)
    lot = replace(trained, bank=replace(trained.bank, maps=gain * np.asarray(trained.bank.maps)))
    bank, rng, rows = trained.bank, np.random.default_rng(config.seed), []
    test, calibration = bank.rows("test"), bank.rows("calibrate")
    good, others = test[bank.good[test]], trained.held_out(calibration[~bank.good[calibration]])
    embedded, defects = lot.embed(good), lot.embed(test[~bank.good[test]])
    for _ in range(LOT_DRAWS):
        chosen = rng.choice(len(good), MIN_LOT_PARTS, replace=False)
        rest = embedded.take(np.setdiff1d(np.arange(len(good)), chosen))
        parts, kind = lot.parts(good, embedded, chosen), config.fit.prototype
        learnt, evidence = enrol_lot(trained.classifier, kind, parts, trained.scores, others, config.evaluate)
        accepted = _accepts(lambda found=evidence: require_defects_found("lot", found, MARGIN))
        rows.append((accepted, *_rates(trained.classifier, rest, defects), *_rates(learnt, rest, defects)))
    return np.array(rows)


def _rates(side: CalibratedClassifier, good: Embedded, defects: Embedded) -> Rates:
    stopped = side.classifier.score(good) > side.defect_threshold
    return float(stopped.mean()), float((side.classifier.score(defects) <= side.defect_threshold).mean())


def _mean(values: np.ndarray) -> str:
    """The mean with Student's 95 % interval."""
    half_width = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.3f} [{np.mean(values) - half_width:.3f}, {np.mean(values) + half_width:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
