"""The unit space of good parts, and the threshold from parts that were left out of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.good_parts import model_settings
from tasks.config.run import EvaluateConfig
from tasks.data.split import PARTS
from tasks.model.distances import RT
from tasks.model.embeddings import Embedded, EmbeddedBank
from tasks.registry.release_files import DEFECT_THRESHOLD
from tasks.zero.fitting import fit_good_parts, left_out_distances


def good_bank(count: int = 240, lots: int = 0, offset: float = 0.0, seed: int = 0):
    """Good parts of one mode, three quarters of them to learn from; lots differ by `offset` standard deviations."""
    rng = np.random.default_rng(seed)
    lot = np.arange(count) % lots if lots else np.zeros(count, int)
    maps = 4 + rng.normal(0, 0.5, (count, 20)) + rng.normal(0, offset * 0.5, (max(lots, 1), 1))[lot]
    groups = np.array([f"L{i}" for i in lot] if lots else [""] * count)
    zeros = np.zeros(count, int)
    bank = parts.banked(parts.Parts(maps.astype(np.float32), zeros, zeros, groups))
    test = lot % 4 == 3 if lots else np.arange(count) % 4 == 3
    return replace(bank, part=np.where(test, PARTS.index("test"), 0).astype(np.int8))


def settings(tmp_path, **evaluate):
    config = parts.configured(tmp_path, evaluate=EvaluateConfig(bootstrap=100, **evaluate))
    return model_settings(config, {"good_alone": True})


def test_as_many_new_good_parts_are_stopped_as_were_asked_for(tmp_path):
    """The mean over forty sets of parts; each has 60 new ones, at 20 % asked for."""
    rates = []
    for seed in range(40):
        records = EmbeddedBank(np.asarray, good_bank(seed=seed))
        model = fit_good_parts(records, settings(tmp_path, target=0.2))
        score = model.classifier.score(records.part("test"))
        rates.append((score > model.thresholds[0].value).mean())
    assert abs(np.mean(rates) - 0.2) < 0.03


def test_a_record_is_not_scored_by_a_unit_space_that_holds_it():
    rng = np.random.default_rng(0)
    vectors, number = rng.normal(3, 1, (30, 20)), np.arange(30) % 3
    distance = RT(4)
    left_out = left_out_distances(Embedded(vectors, np.zeros(30)), number, distance)
    others = distance.prototypes([vectors[number != 1]])
    np.testing.assert_allclose(left_out[number == 1], distance.to_prototypes(vectors[number == 1], others)[:, 0])
    together = distance.to_prototypes(vectors, distance.prototypes([vectors]))[:, 0]
    assert left_out.mean() > 1.1 * together.mean()


def test_a_lot_is_left_out_as_a_whole(tmp_path):
    model = fit_good_parts(EmbeddedBank(np.asarray, good_bank(lots=8, offset=1.0)), settings(tmp_path))
    assert model.sets == 6  # two of eight lots are tested on
    assert (model.thresholds[0].lots, model.thresholds[0].crossed) == (6, True)


def test_new_lots_are_stopped_more_often_where_lots_have_no_names(tmp_path):
    """Means over thirty sets of eight lots that differ, two of them new; 20 % are asked for."""
    config, rates = settings(tmp_path, target=0.2), {"named": [], "unnamed": []}
    for seed in range(30):
        bank = good_bank(lots=8, offset=1.0, seed=seed)
        unnamed = replace(bank, group=np.full(len(bank.group), ""))
        for name, lots in (("named", bank), ("unnamed", unnamed)):
            records = EmbeddedBank(np.asarray, lots)
            model = fit_good_parts(records, config)
            score = model.classifier.score(records.part("test"))
            rates[name].append((score > model.thresholds[0].value).mean())
    assert np.mean(rates["named"]) < 0.3  # 0.23 over 150 sets, and 0.34 without names
    assert np.mean(rates["unnamed"]) - np.mean(rates["named"]) > 0.05


@pytest.mark.parametrize(("count", "refused"), [(26, False), (25, True)])
def test_too_few_parts_have_no_threshold(tmp_path, count, refused):
    bank = good_bank(count)
    assert (bank.part == 0).sum() == count - count // 4
    threshold = fit_good_parts(EmbeddedBank(np.asarray, bank), settings(tmp_path)).thresholds[0]
    assert (threshold.name, threshold.value is None) == (DEFECT_THRESHOLD, refused)
    if refused:
        assert threshold.refused == "19 good calibration records, a false-positive rate of 0.05 needs 20"
