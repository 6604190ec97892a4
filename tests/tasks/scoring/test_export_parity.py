"""The gate of an export: it passes what agrees with the release, and names what does not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tasks.core.errors import ParityLost
from tasks.model.embeddings import Embedded
from tasks.scoring.export_parity import TOLERANCE, gate, gate_maps
from tasks.scoring.verdicts import VERDICTS, predict


@pytest.fixture(scope="module")
def run(small_release):
    """A faithful export: the release itself, with what a file does beside."""

    def outputs(maps):
        readable = np.isfinite(maps).all(axis=1)
        predictions = predict(small_release, np.where(readable[:, None], maps, 0))
        classifier = small_release.classifier
        codes = [VERDICTS.index(verdict) for verdict in predictions.verdict]
        return {
            **vars(predictions),
            "distances": classifier.mode_distances(Embedded(predictions.embedded, np.empty(len(maps)))),
            "verdict": np.where(readable, codes, 3),
        }

    return outputs


def test_what_agrees_passes_and_is_reported(small_release, run):
    report = gate(small_release, run)
    assert set(report.sets) == {"gallery", "mixtures", "noise", "edges"}
    assert report.summary.records == sum(len(maps) for maps in gate_maps(small_release).values())
    entries = json.loads(json.dumps(report.as_json()))
    assert set(entries) == {"tolerance", "seed", "records", "largest_difference", "sets"}
    keys = {"records", "distance", "score", "other_modes", "other_verdicts", "at_the_border"}
    assert set(entries["sets"]["noise"]) == keys
    assert report.summary.largest_difference == 0


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"distances": 1.001}, "distances of gallery .* differ, by 0.0"),
        ({"score": 1.01}, "scores of gallery"),
        ({"mode": 0}, "modes of gallery"),
        ({"verdict": 0}, "verdicts of gallery"),
        ({"beta": 1.01}, "beta of gallery"),
    ],
)
def test_a_file_that_says_something_else_is_refused(small_release, run, factors, message):
    with pytest.raises(ParityLost, match=message):
        gate(small_release, lambda maps: {name: value * factors.get(name, 1) for name, value in run(maps).items()})


def test_maps_that_are_not_finite_must_be_unreadable(small_release, run):
    with pytest.raises(ParityLost, match="not finite"):
        gate(small_release, lambda maps: {**run(maps), "verdict": np.minimum(run(maps)["verdict"], 2)})


def test_a_single_map_must_have_the_same_distances(small_release, run):
    def changed_alone(maps):
        outputs = run(maps)
        return {**outputs, "distances": outputs["distances"] * (1.001 if len(maps) == 1 else 1)}

    with pytest.raises(ParityLost, match="a single map of gallery"):
        gate(small_release, changed_alone)


def test_a_release_without_kept_records_is_compared_on_its_anchors(small_release):
    maps = gate_maps(replace(small_release, gallery=None))
    np.testing.assert_array_equal(maps["anchors"], small_release.anchors.astype(np.float32))


def test_twice_the_tolerance_is_too_much(small_release, run):
    def changed(maps):
        outputs = run(maps)
        return {**outputs, "distances": outputs["distances"] * (1 + 2 * TOLERANCE)}

    with pytest.raises(ParityLost, match="distances of gallery"):
        gate(small_release, changed)
