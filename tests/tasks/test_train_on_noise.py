"""Pure noise has nothing to be learnt: an honest line says one half, and says so although a careless one says .98."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.data.split import PARTS
from tasks.evaluation.holdout import baseline_metrics
from tasks.evaluation.scored_records import score_bank_part
from tasks.model.classifier import fit_prototypes, raw_map_baseline, rt_baseline
from tasks.model.distances import distance, trained_distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.train import fit


def auroc(bank: parts.Bank, name: str = "euclidean") -> float:
    return baseline_metrics(score_bank_part(raw_map_baseline(distance(name), bank), bank, "test")).auroc


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
def test_noise_with_anchors_from_training_records_is_a_coin(name):
    """1404 values, 20 records a mode; the mean of six worlds, each of 40 test records × 10 prototypes."""
    worlds = [auroc(parts.banked(parts.noise(10, 20, seed=seed)), name) for seed in range(6)]
    assert np.mean(worlds) == pytest.approx(0.5, abs=0.05)
    assert np.abs(np.array(worlds) - 0.5).max() < 0.15


def test_noise_with_anchors_from_all_records_looks_like_knowledge():
    """The counter-example: every test record is in its own mode's mean."""
    worlds = [auroc(parts.banked(parts.noise(10, 20, seed=seed), leak=True)) for seed in range(3)]
    assert min(worlds) > 0.9


def test_rt_on_noise_is_a_coin():
    worlds = []
    for seed in range(3):
        bank = parts.banked(parts.noise(6, 20, seed=seed))
        worlds.append(baseline_metrics(score_bank_part(rt_baseline(bank), bank, "test")).auroc)
    assert np.mean(worlds) == pytest.approx(0.5, abs=0.08)


def test_permuted_modes_are_a_coin():
    """Maps with every difference in the world, and modes that were dealt out anew: ½, where the true modes give 1."""
    part = parts.inspected(modes=5, each=40)
    assert auroc(parts.banked(part)) > 0.98
    worlds = []
    for seed in range(6):
        mode = np.random.default_rng(seed).permutation(part.mode)
        worlds.append(auroc(parts.banked(replace(part, mode=mode))))
    assert np.mean(worlds) == pytest.approx(0.5, abs=0.05)


def test_noise_through_the_step_itself_is_a_coin(tmp_path):
    """The same through cache and triplets, where the anchors are made."""
    from tasks.data.bank import load_bank

    table = parts.map_column(parts.noise(10, 20, values=20, seed=4))
    bank = load_bank(parts.split_stage(table, tmp_path).path)
    assert auroc(bank) == pytest.approx(0.5, abs=0.15)
    assert PARTS[0] == "train"
    own = bank.maps[(bank.mode == 3) & (bank.part == 0)]
    np.testing.assert_allclose(bank.anchors[3], own.mean(axis=0), atol=1e-6)


@pytest.mark.slow
def test_a_tower_trained_on_noise_is_a_coin(tmp_path):
    """The whole way of a model: it learns its training records by heart, and nothing about the others."""
    found = []
    for seed in range(3):
        bank = parts.banked(parts.noise(4, 150, values=parts.ROWS * parts.COLS, seed=seed))
        config = parts.configured(tmp_path)
        fit_settings = replace(config.fit, prototype="mean-embedding", learning_rate=0.01, epochs=6)
        config = replace(config, fit=fit_settings).resolved()
        tower, _, _ = fit(bank, config)
        judge = fit_prototypes(
            "x", EmbeddedBank(make_encoder(tower), bank), trained_distance(config.fit), config.fit.prototype
        )
        found.append(baseline_metrics(score_bank_part(judge, bank, "test")))
    assert np.mean([one.auroc for one in found]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([one.good_auroc for one in found]) == pytest.approx(0.5, abs=0.08)
