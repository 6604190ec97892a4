"""Modes that were never trained are judged apart, and a model that was taught at random is a coin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import cached, configured, inspected, map_column

from tasks.config.model import TowerConfig
from tasks.config.run import EvaluateConfig, SplitConfig
from tasks.core.results import Fold
from tasks.data.bank import load_bank
from tasks.evaluate import evaluate
from tasks.evaluation.ablation import left_out_mode_summary, permutation_summary
from tasks.evaluation.metrics import angular_metrics
from tasks.evaluation.scored_records import score_bank_part, score_part
from tasks.folds import fold_metrics, make_fold_bank, plan_folds
from tasks.model.embeddings import make_encoder
from tasks.registry.loading import embedded_bank, load_tower, trained_classifier
from tasks.train import train
from tasks.triplets import triplets


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Config, cached records, the whole bank's stage and the figures of its folds."""
    folder = tmp_path_factory.mktemp("line")
    config = configured(folder, evaluate=EvaluateConfig(unseen=True, permutation=True, bootstrap=100))
    fit = replace(config.fit, epochs=8, learning_rate=0.01, prototype="mean-embedding")
    config = replace(config, fit=fit, tower=TowerConfig(widths="32-8")).resolved()
    records = cached(map_column(inspected(modes=4, each=150)), folder, config)
    bank = triplets(records, None, config)
    return config, records, bank, tuple(_figures(bank, one, config) for one in plan_folds(bank, config))


def _figures(bank, one, config):
    variant = make_fold_bank(bank, one, config)
    return fold_metrics(bank, variant, train(variant, config), one, config).facts["figures"]


@pytest.mark.slow
def test_each_mode_that_was_left_out_has_its_figures(line):
    config, _, bank, folds = line
    found = left_out_mode_summary(folds, config)
    assert list(found["modes"]) == ["1", "2", "3"]
    whole = load_bank(bank.path)
    for name, one in found["modes"].items():
        assert one["n"] == (whole.mode[whole.rows("test")] == whole.modes.index(name)).sum()
        assert set(one["scores"]) == {"distance", "peak", "fused"}
    means = [one["scores"]["distance"]["auroc"] for one in found["modes"].values()]
    assert found["mean"]["good_auroc"] == pytest.approx(np.mean(means))


@pytest.mark.slow
def test_the_figure_is_that_of_the_model_that_never_saw_the_mode(line):
    """Counted by hand: of all pairs of a mode-1 and a good test record, how often the first is the farther."""
    config, _, bank, folds = line
    one = Fold("without", "1")
    variant = make_fold_bank(bank, one, config)
    records = embedded_bank(load_tower(train(variant, config)), load_bank(variant.path), config)
    test = score_bank_part(trained_classifier(records, config), load_bank(bank.path), "test")
    distances = test.classifier.good_distances(test.embedded)
    far, near = distances[test.mode == 1], distances[test.good]
    assert folds[0]["scores"]["distance"]["auroc"] == pytest.approx((far[:, None] > near).mean())


@pytest.mark.slow
def test_modes_dealt_out_anew_are_a_coin(line):
    """Trained through the step itself on permuted modes; the true modes of the same records are all but certain."""
    config, _, bank, folds = line
    found = permutation_summary(folds, config)
    assert found["mean"] == pytest.approx(0.5, abs=0.05)
    assert (len(set(found["auroc"])), found["chance"]) == (3, True)
    records = embedded_bank(load_tower(train(bank, config)), load_bank(bank.path), config)
    test = score_part(trained_classifier(records, config), records, "test")
    assert (test.distances.argmin(axis=1) == test.mode).mean() > 0.9


@pytest.mark.slow
def test_the_notebooks_split_is_replayed_with_a_model_of_its_own(line):
    """Its figures are those of the held-out triplets, counted by hand, and stand beside those of the honest split."""
    config, records, bank, _ = line
    config = replace(config, evaluate=EvaluateConfig(bootstrap=100), split=SplitConfig(replay="notebook"))
    (fold,) = plan_folds(bank, config)
    metrics = _figures(bank, fold, config)
    variant = make_fold_bank(bank, fold, config)
    split, encoder = load_bank(variant.path), make_encoder(load_tower(train(variant, config)))
    anchor, positive, negative = split.triplets["stop"].T
    a, p, n = encoder(split.anchors[anchor]), encoder(split.maps[positive]), encoder(split.maps[negative])
    angular = angular_metrics(a, p, n)
    assert metrics["angular_accuracy_at_0.5"] == pytest.approx(angular["angular_accuracy"])
    assert metrics["angular_auroc"] == pytest.approx(angular["angular_auroc"], abs=1e-6)
    assert (metrics["held_out"], metrics["triplets"]) == (60, 1140)
    assert metrics["shared"] > 0.8
    told = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": 600, "modes": 4}
    facts = {"train": {**told, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    plain, shown = (
        evaluate(bank, train(bank, config), run, None, facts, records.findings, folds)
        for run, folds in ((replace(config, split=SplitConfig()), ()), (config, (metrics,)))
    )
    replayed = {name: value for name, value in shown.facts["metrics"].items() if name.startswith("replayed")}
    assert replayed["replayed_angular_accuracy_at_0.5"] == metrics["angular_accuracy_at_0.5"]
    assert shown.facts["metrics"] == plain.facts["metrics"] | replayed, "the honest figures are the same"
    assert json.loads((Path(shown.path) / "report.json").read_text())["replay"] == metrics


def test_what_is_no_coin_is_told():
    config = configured(Path(), evaluate=EvaluateConfig(permutation=True))
    for edges, chance in (([0.57, 0.65], False), ([0.45, 0.77], None)):
        fold = {"kind": "permuted", "name": "1", "auroc": 0.61, "interval": edges, "mode_accuracy": 0.4}
        found = permutation_summary((fold,), config)
        assert found["chance"] is chance


@pytest.mark.slow
def test_a_fold_whose_training_died_is_told_and_left_out_of_the_means(line):
    config, _, _, folds = line
    died = ({"kind": "without", "name": "1", "failed": "epoch 1: all | alike"}, *folds[1:])
    found = left_out_mode_summary(died, config)
    assert found["mean"]["novelty_auroc"] == pytest.approx(np.mean([one["novelty"]["auroc"] for one in folds[1:3]]))
    gone = permutation_summary(({"kind": "permuted", "name": "1", "failed": "collapsed"},), config)
    assert (gone["mean"], gone["chance"], gone["failed"]) == (None, None, ["collapsed"])


@pytest.mark.slow
def test_report_and_metrics_hold_both_questions_apart(line):
    config, records, bank, folds = line
    told = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": 600, "modes": 4}
    facts = {"train": {**told, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    made = evaluate(bank, train(bank, config), config, None, facts, records.findings, folds)
    report = json.loads((Path(made.path) / "report.json").read_text())
    assert report["unseen"]["modes"].keys() == {"1", "2", "3"}
    assert made.facts["metrics"]["unseen_good_auroc"] == report["unseen"]["mean"]["good_auroc"]
    assert made.facts["metrics"]["permutation_auroc"] == report["permutation"]["mean"]
    assert report["certificate"]["verdict"] == "No record is in more than one part."
    page = (Path(made.path) / "report.html").read_text()
    assert "Modes left out of training" in page
    assert "Permutation test" in page
    others = evaluate(bank, train(bank, config), config, None, facts, records.findings, folds[1:])
    assert others.path != made.path  # a judgement is named by what its folds showed, too
