"""The metrics of the test part at the calibrated threshold, and by group; those of a trial see no test part.

Ruined in test or calibration part, a bank gives the same weights and figures of a trial.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts
from support.inspected_parts import banked, configured, inspected, map_column, split_stage

from tasks.config.run import RunConfig
from tasks.core.stages import MANIFEST, seal_folder, verified_manifest
from tasks.data.bank import load_bank
from tasks.data.bank_variants import only_parts
from tasks.data.split import PARTS
from tasks.evaluation.holdout import (
    baseline_metrics,
    calibrate_thresholds,
    holdout_metrics,
    trial_facts,
    with_rates_at_thresholds,
)
from tasks.evaluation.scored_records import OutOfFoldScores, score_bank_part
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import Euclidean, distance
from tasks.train import train


def test_the_metrics_of_groups_and_threshold_are_those_of_the_test_part():
    part = parts.inspected(modes=3, each=40, groups=4)
    bank, config = parts.banked(part), RunConfig()
    classifier = raw_map_baseline(distance("euclidean"), bank)
    defect, same = calibrate_thresholds(score_bank_part(classifier, bank, "calibrate"), config)
    thresholds = replace(defect, value=3.0), same
    test = score_bank_part(classifier, bank, "test")
    metrics = holdout_metrics(test, thresholds, test.resampling(config))
    assert sum(group.n for group in metrics.per_group.values()) == len(test)
    called, good = test.score > 3, test.good
    assert metrics.good_balanced_accuracy == (np.mean(~called[good]) + np.mean(called[~good])) / 2
    lots = metrics.good_fpr_by_group
    sizes = {name: (test.group[good] == name).sum() for name in lots}
    assert sum(lots[name] * sizes[name] for name in lots) == pytest.approx(called[good].sum())
    low, high = metrics.good_balanced_accuracy_interval
    assert low <= metrics.good_balanced_accuracy <= high
    without_groups = score_bank_part(classifier, parts.banked(parts.inspected(each=40)), "test")
    assert holdout_metrics(without_groups, thresholds, without_groups.resampling(config)).per_group == {}


def ruined(stage, folder, part):
    """A copy of a triplets stage, sealed under the same digest, in which a part's maps and labels are wrong."""
    shutil.copytree(stage.path, folder)
    (folder / MANIFEST).unlink()
    bank = load_bank(stage.path)
    rows, maps, mode, good = bank.rows(part), np.array(bank.maps), bank.mode.copy(), bank.good.copy()
    maps[rows] *= -1000
    mode[rows], good[rows] = (mode[rows] + 1) % len(bank.modes), ~good[rows]
    replace(bank, maps=maps, mode=mode, good=good).save(folder)
    seal_folder(folder, {name: value for name, value in stage.facts.items() if name != "files"})
    assert verified_manifest(folder)["digest"] == stage.digest
    return replace(stage, path=str(folder))


def facts(stage, folder):
    config = configured(folder).resolved()
    model = train(stage, config)
    told = trial_facts(stage, model, config)
    told.pop("seconds")
    return model.facts["weights"], told


@pytest.mark.slow
def test_a_ruined_test_or_calibration_part_changes_nothing_and_a_ruined_validation_part_the_figures(tmp_path):
    """The second half shows that the first could fail."""
    stage = split_stage(map_column(inspected(each=40)), tmp_path)
    assert len(load_bank(stage.path).rows("test")) > 5
    weights, told = facts(stage, tmp_path / "a")
    assert facts(ruined(stage, tmp_path / "test", "test"), tmp_path / "b") == (weights, told)
    assert facts(ruined(stage, tmp_path / "calibrate", "calibrate"), tmp_path / "c") == (weights, told)
    _, other = facts(ruined(stage, tmp_path / "stop", "stop"), tmp_path / "d")
    assert other["figures"]["auroc"] < told["figures"]["auroc"]


def judged(bank):
    return baseline_metrics(score_bank_part(raw_map_baseline(Euclidean(), bank), bank, "stop"))


def test_figures_are_those_of_the_validation_records():
    """Of records on their modes' own patterns, all are right; with the modes shifted by one, none is."""
    bank = only_parts(banked(inspected(each=40)))
    assert judged(bank).mode_accuracy == judged(bank).good_auroc == 1.0
    shifted = np.where(bank.part == PARTS.index("stop"), (bank.mode + 1) % 3, bank.mode)
    assert judged(replace(bank, mode=shifted)).mode_accuracy == 0.0


def test_no_good_or_defect_figure_without_both():
    bank = only_parts(banked(inspected(each=40)))
    assert judged(replace(bank, good=np.zeros(len(bank.good), bool))).good_auroc is None


def test_out_of_fold_scores_calibrate_good_or_defect_and_nothing_else():
    bank, config = banked(inspected(each=40, groups=4)), RunConfig()
    records = score_bank_part(raw_map_baseline(Euclidean(), bank), bank, "calibrate")
    good = np.arange(200) < 100
    ones = np.ones(200)
    names = np.repeat([f"L{number}" for number in range(8)], 25)
    crossed = OutOfFoldScores(np.arange(200.0), good, names, names.astype("S"), ones, ones == 0)
    plain, same = calibrate_thresholds(records, config)
    defect, again = calibrate_thresholds(records, config, crossed)
    assert again == same
    assert (plain.crossed, defect.crossed) == (None, True)
    assert (defect.negatives, defect.units, defect.lots) == (100, 8, 4)
    assert defect.value > 90


def test_each_score_has_the_rates_of_a_threshold_of_its_own():
    bank, config = banked(inspected(each=120)), RunConfig()
    classifier = raw_map_baseline(Euclidean(), bank)
    calibration, test = (score_bank_part(classifier, bank, part) for part in ("calibrate", "test"))
    thresholds = calibrate_thresholds(calibration, config)
    plain = holdout_metrics(test, thresholds, test.resampling(config))
    assert plain.good_scores["peak"].fpr is None
    metrics = with_rates_at_thresholds(plain, calibration, test, config)
    distance_score, peak = (metrics.good_scores[name] for name in ("distance", "peak"))
    assert (distance_score.fpr, distance_score.tpr) == (metrics.good_fpr, metrics.good_tpr)
    cut = np.sort(calibration.classifier.scores(calibration.embedded)["peak"][calibration.good])[-1]
    stopped = test.classifier.scores(test.embedded)["peak"] > cut
    assert (peak.fpr, peak.tpr) == (stopped[test.good].mean(), stopped[~test.good].mean())
    few = calibration.take(np.arange(10))
    assert with_rates_at_thresholds(plain, few, test, config) == plain
