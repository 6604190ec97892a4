"""The validation part against prototypes of training records: figures by hand, and as the evaluation finds them."""

from __future__ import annotations

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.model import TrainingConfig
from tasks.config.run import RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.metrics import pair_metrics
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank
from tasks.model.validation import Validation


def run_of(**settings):
    return RunConfig(data=parts.DATA, fit=TrainingConfig(**settings)).resolved()


def identity(maps, training):
    """A tower that embeds a map as itself."""
    assert not training
    return np.asarray(maps)


def small_bank(train, stop):
    """A bank of one-valued maps, by mode."""
    maps = [value for part in (train, stop) for values in part for value in values]
    mode = [code for part in (train, stop) for code, values in enumerate(part) for _ in values]
    none = np.full(len(mode), "")
    return Bank(
        maps=np.array(maps, np.float32)[:, None],
        anchors=np.array([[np.mean(values)] for values in train], np.float32),
        mode=np.array(mode),
        good=np.array(mode) == 0,
        part=np.repeat([0, 1], [sum(map(len, part)) for part in (train, stop)]),
        hash=none.astype("S32"),
        group=none,
        modes=["0", "1"],
        triplets={},
    )


@pytest.mark.parametrize("prototype", ["mean-map", "mean-embedding"])
def test_the_figures_by_hand(prototype):
    """Prototypes 0 and 4. Distances to the own mode 1, 3, 0, to the other 3, 1, 4; a margin of 0.5 is lacked by 2.5."""
    bank = small_bank([[-1, 1], [3, 5]], [[1, 3], [4]])
    metrics = Validation(bank, run_of(prototype=prototype, margin=0.5, distance="euclidean")).measure(identity)
    assert metrics.loss == pytest.approx(2.5 / 3)
    assert metrics.mode_accuracy == pytest.approx(2 / 3)
    # own 0, 1, 3 against other 1, 3, 4: 1 + ½ of 1; 2 + ½ of 3; 3 of 4
    assert metrics.auroc == pytest.approx((1.5 + 2.5 + 3) / 9)
    assert metrics.norm == pytest.approx(8 / 3)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "rt"])
def test_they_are_those_that_the_evaluation_would_find(distance):
    bank, config = parts.banked(parts.inspected(modes=3, each=60)), run_of(distance=distance, blocks=2)
    metrics = Validation(bank, config).measure(identity)
    records = EmbeddedBank(np.asarray, bank)
    classifier = fit_prototypes("x", records, trained_distance(config.fit), config.fit.prototype)
    evaluated = pair_metrics(classifier.mode_distances(records.part("stop")), bank.mode[bank.rows("stop")])
    assert metrics.auroc == pytest.approx(evaluated.auroc)
    assert metrics.mode_accuracy == pytest.approx(evaluated.mode_accuracy)


def test_a_mode_that_nothing_was_trained_on_does_not_count():
    bank = small_bank([[-1, 1], [3, 5]], [[1, 3], [4]])
    config = run_of(prototype="mean-embedding", distance="euclidean")
    bank.mode[-1] = 7
    assert Validation(bank, config).measure(identity).mode_accuracy == pytest.approx(1 / 2)


def test_embeddings_that_are_no_numbers_have_no_figures():
    bank = small_bank([[-1, 1], [3, 5]], [[1, 3], [4]])
    metrics = Validation(bank, run_of(distance="euclidean")).measure(lambda maps, training: np.asarray(maps) * np.nan)
    assert np.isnan([metrics.loss, metrics.auroc, metrics.norm]).all()
