"""One tower for all maps of a batch, the loss by hand, and moved maps."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from support.trainings import device_maps, notebook_run

from tasks.model.distances import distance
from tasks.model.embeddings import make_encoder
from tasks.model.losses import hinge
from tasks.model.siamese import TripletModel, shift_indices
from tasks.model.tower import build_tower

EUCLIDEAN = distance("euclidean")


def test_the_loss_by_hand():
    """a 0, p (3, 4), n (6, 8): 5 − 10 + .4 < 0 → 0. a 0, p (0, 2), n (1, 0): 2 − 1 + .4 = 1.4. Mean .7, active ½.

    A third of weight 0 changes neither.
    """
    triplets = np.array([[[0, 0], [3, 4], [6, 8]], [[0, 0], [0, 2], [1, 0]]], np.float32)
    np.testing.assert_allclose(ops.convert_to_numpy(hinge(EUCLIDEAN, 0.4, triplets)), [0, 1.4], rtol=1e-6)
    model = TripletModel(
        build_tower(notebook_run().tower, (4, 5)), device_maps(np.zeros((6, 20), np.float32)), EUCLIDEAN, 0.4
    )
    filled, weights = np.concatenate([triplets, triplets[1:]]), np.array([1, 1, 0], np.float32)
    assert float(model.compute_loss(y_pred=filled, sample_weight=weights)) == pytest.approx(0.7)
    assert float(model.mean.result()) == pytest.approx(0.7)
    assert float(model.active.result()) == 0.5


@pytest.mark.parametrize("anchors", [1, 3])
def test_one_tower_embeds_all_three(anchors):
    """With fewer anchors than triplets each is embedded once: the same embeddings."""
    maps = np.random.default_rng(0).normal(size=(6, 20)).astype(np.float32)
    tower = build_tower(notebook_run().tower, (4, 5))
    rows = np.array([[0, 3, 2], [anchors - 1, 4, 3]], np.int32)
    found = ops.convert_to_numpy(TripletModel(tower, device_maps(maps, anchors), EUCLIDEAN, 0.4)(rows))
    np.testing.assert_allclose(found, make_encoder(tower)(maps)[rows], rtol=1e-5, atol=1e-6)


def test_maps_move_by_a_cell_with_their_edges_repeated():
    """0 1 2 / 3 4 5: the steps are none, up and down by one, left and right, and both."""
    places = shift_indices(2, 3)
    assert places[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert places[1].tolist() == [0, 0, 1, 3, 3, 4]
    assert places[8].tolist() == [4, 5, 5, 4, 5, 5]
    assert len({tuple(row) for row in places.tolist()}) == 9
