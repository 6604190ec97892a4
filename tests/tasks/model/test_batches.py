"""Training on balanced batches: what a batch holds, what moves, and the same bits every time."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from keras import ops
from support import inspected_parts as parts

from tasks.config.model import DISTANCES, TowerConfig, TrainingConfig
from tasks.config.run import RunConfig
from tasks.evaluation.metrics import pair_metrics
from tasks.model.batches import Augmentation, BalancedBatches
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.model.losses import all_triplets
from tasks.model.tower import weights_digest
from tasks.train import fit, prepare_training, steps_per_epoch

pytestmark = pytest.mark.slow  # a minute and a half of small trainings

ROWS = [np.arange(0, 30), np.arange(30, 35), np.arange(35, 70), np.arange(70, 90)]
# Two blocks of eight values each, as the preset `rt` has them. In a block of one value RT's shape is always 0, and
# where the mean is near 0 its level is unbounded: then chance decides what is learnt.
QUICK = {
    "modes_per_batch": 3,
    "records_per_mode": 6,
    "batch": 18,
    "steps": 15,
    "epochs": 5,  # for all tests, so that JAX compiles a preset once
    "shift": False,
    "blocks": 2,
}


def run_of(preset: str = "best", **changes: Any) -> RunConfig:
    fitting = TrainingConfig(**{**QUICK, **changes})
    return RunConfig(preset=preset, data=parts.DATA, tower=TowerConfig(widths="8-16-16"), fit=fitting).resolved()


def batches(seed: int = 1, **changes: Any) -> BalancedBatches:
    arguments = {
        "rows": ROWS,
        "batch": (3, 8),
        "steps": 12,
        "seed": seed,
        "augmentation": Augmentation(True, 0.0, ROWS[0]),
        **changes,
    }
    return BalancedBatches(**arguments)


def drawn(batches: BalancedBatches, epoch: int = 0) -> np.ndarray:
    return batches.epoch(epoch).rows


@pytest.fixture(scope="module")
def bank():
    return parts.banked(parts.inspected(modes=3, each=60))


@pytest.fixture(scope="module")
def trained(bank):
    """Trains on `bank`, each configuration once for all tests."""
    return functools.cache(lambda config: fit(bank, config))


def loss_ratio(log):
    """The last epoch's loss as a share of the first's. Modes this far apart have an AUROC of .93 untrained, too."""
    return log[-1].loss / log[0].loss


def mode_distances(tower, bank, config):
    """Distances of the test records to the modes' prototypes, and their modes."""
    records = EmbeddedBank(make_encoder(tower), bank)
    classifier = fit_prototypes("x", records, trained_distance(config.fit), config.fit.prototype)
    return classifier.mode_distances(records.part("test")), bank.mode[bank.rows("test")]


def auroc(tower, bank, config):
    return pair_metrics(*mode_distances(tower, bank, config)).auroc


def test_a_batch_is_p_modes_of_k_records_mode_by_mode():
    mode = np.repeat(np.arange(4), [len(rows) for rows in ROWS])
    for rows in drawn(batches())[:, :, 0]:
        by_mode = mode[rows].reshape(3, 8)
        assert (by_mode == by_mode[:, :1]).all()
        assert len(set(by_mode[:, 0])) == 3
        assert all(
            len(set(group)) == 8 for group, code in zip(rows.reshape(3, 8), by_mode[:, 0], strict=True) if code != 1
        )


def test_modes_take_turns():
    """12 batches of 3 modes: each of the four modes is in about 9 of them, whatever its size."""
    mode = np.repeat(np.arange(4), [len(rows) for rows in ROWS])
    found = np.bincount(mode[drawn(batches())[:, ::8, 0]].ravel())
    assert found.sum() == 36
    assert found.min() >= 8


def test_order_follows_from_seed_and_epoch():
    one, again = batches(), batches()
    first = drawn(one)
    assert np.array_equal(first, drawn(again))
    assert not np.array_equal(first, drawn(batches(seed=2)))
    second = drawn(one, 1)
    assert not np.array_equal(first, second)
    assert np.array_equal(second, drawn(again, 1))
    still = batches(augmentation=None)
    assert np.array_equal(drawn(still), drawn(still, 1))


def test_records_are_moved_by_any_of_nine_steps_where_the_batches_augment():
    assert not drawn(batches(augmentation=None))[:, :, 1].any()
    assert set(drawn(batches())[:, :, 1].ravel()) == set(range(9))


def test_a_good_record_is_laid_over_some():
    """Half of them under a good one, the others under themselves, which changes nothing."""
    plain, half = drawn(batches()), drawn(batches(augmentation=Augmentation(False, 0.5, ROWS[0])))
    assert np.array_equal(plain[:, :, 0], plain[:, :, 2])
    other = half[:, :, 0] != half[:, :, 2]
    assert 0.4 < other.mean() < 0.6
    assert np.isin(half[:, :, 2][other], ROWS[0]).all()


@pytest.mark.parametrize(("records", "steps"), [(100, 20), (720, 20), (1080, 30), (1440, 40), (10**6, 40)])
def test_few_records_get_fewer_steps(records, steps):
    """60 looks at 1 080 records in 18 epochs of batches of 120 are 30 steps; 20 at least, 40 at most."""
    assert steps_per_epoch(RunConfig().resolved().fit, records, 120) == steps


@pytest.mark.parametrize("preset", ["best", "rt"])
def test_training_learns(bank, trained, preset):
    """Over seeds and backends the loss falls to a fifth or less; without learning the ratio is about 1."""
    config = run_of(preset)
    tower, log, kept = trained(config)
    assert kept == len(log) == 5  # the last weights
    assert loss_ratio(log) < 0.5
    assert auroc(tower, bank, config) > 0.95


@pytest.mark.parametrize(("mining", "most"), [("all", 0.5), ("semi-hard", 0.5), ("multi-similarity", 0.85)])
def test_every_mining_learns(bank, mining, most):
    """Multi-similarity's loss does not fall to 0: the soft sum over same-mode pairs stays."""
    config = run_of(mining=mining, prototype_weight=0.0, epochs=6)
    tower, log, _ = fit(bank, config)
    assert loss_ratio(log) < most
    assert auroc(tower, bank, config) > 0.95


@pytest.mark.parametrize("name", [*DISTANCES, "support.custom_models:City"])
def test_every_distance_trains_and_classifies(bank, name):
    """Swapping who is alike turns the AUROC round and raises the loss: the distance has a direction."""
    config = run_of(distance=name, epochs=6, temperature=0.5)
    tower, log, _ = fit(bank, config)
    assert loss_ratio(log) < 0.5
    distances, mode = mode_distances(tower, bank, config)
    area = pair_metrics(distances, mode).auroc
    assert area > 0.9
    assert pair_metrics(-distances, mode).auroc == pytest.approx(1 - area)
    vectors = make_encoder(tower)(bank.maps)
    matrix = trained_distance(config.fit).matrix(vectors, vectors).T.astype("float32")
    alike = bank.mode[:, None] == bank.mode
    near, far = (np.stack([row[mask][:20] for row, mask in zip(matrix, side, strict=True)]) for side in (alike, ~alike))
    assert hinge_loss(far, near) > hinge_loss(near, far)


def hinge_loss(positive, negative):
    return float(ops.convert_to_numpy(all_triplets(*map(ops.convert_to_tensor, (positive, negative)), 0.4)[0]))


@pytest.mark.parametrize("preset", ["best", "rt"])
def test_the_seed_decides_every_bit_also_after_a_death(bank, trained, tmp_path, preset):
    """Dropout, noise and moves have streams of their own; a training taken up again goes on in them."""
    config, state = run_of(preset, noise=0.1, shift=True, epochs=3), tmp_path / "state.npz"
    first = fit(bank, config)[0]
    assert weights_digest(first) != weights_digest(trained(run_of(preset))[0])

    def dying(line):
        if line.epoch > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(bank, config, dying, state)
    assert weights_digest(fit(bank, config, None, state)[0]) == weights_digest(first)


def test_another_seed_is_another_training(bank, trained):
    other = fit(bank, replace(run_of(), seed=43))[0]
    assert weights_digest(other) != weights_digest(trained(run_of())[0])


def test_training_sees_train_and_stop_and_nothing_else(bank, trained):
    hidden = bank.maps.copy()
    hidden[bank.part >= 2] = np.nan
    assert weights_digest(trained(run_of())[0]) == weights_digest(fit(replace(bank, maps=hidden), run_of())[0])


def test_a_temperature_is_learnt_where_it_is_asked_for(bank):
    model, batches, _ = prepare_training(bank, run_of("rt", learn_temperature=True))
    before = float(model.scale)
    model.run_epoch(batches.epoch(0), training=True)
    assert float(model.scale) != before
    model, _, _ = prepare_training(bank, run_of("rt", learn_temperature=False))
    assert all(variable is not model.scale for variable in model.trainable_variables)


@pytest.mark.parametrize("preset", ["best", "rt"])
def test_noise_teaches_nothing_of_other_records(preset):
    """The tower fits its own records, and tells test records apart no better than chance.

    The AUROC of one bank varies by .04 with its seed; anchors made from the test records would give .9.
    """
    bank, config = parts.banked(parts.noise(6, 40, values=20)), run_of(preset, epochs=4)
    assert auroc(fit(bank, config)[0], bank, config) == pytest.approx(0.5, abs=0.2)
