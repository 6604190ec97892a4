"""The verdict as a Keras graph: the numbers of tasks/scoring/verdicts.py for every distance and both kinds of score."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from support.scored_parts import with_distance

from tasks.core.files import file_digest
from tasks.model.distances import Distance, distance
from tasks.model.fused_score import RANKS
from tasks.scoring.export_graph import CODES, OUTPUTS, VerdictLayer, export_facts
from tasks.scoring.export_parity import gate
from tasks.scoring.verdicts import predict

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow has float64 in a graph"
)


class City(Distance):
    """Sum of the absolute differences, for both namespaces."""

    name = "city"

    def pair(self, x, anchor, xp=np):
        return xp.sum(xp.abs(x - anchor), axis=-1)


def run_of(release):
    """The layer as a function of maps, outside of any file."""
    layer = VerdictLayer(release)

    def run(maps):
        maps = np.asarray(maps, np.float32)
        outputs = layer(maps, release.classifier.encoder(maps).astype(np.float32))
        return {name: keras.ops.convert_to_numpy(outputs[name]) for name in OUTPUTS}

    return run


@pytest.mark.parametrize(
    ("name", "fused"),
    [(name, False) for name in ("euclidean", "squared-euclidean", "cosine", "snr", "city")]
    + [("euclidean", True), ("rt", True)],
)
def test_every_distance_passes_the_gate(small_release, name, fused):
    release = with_distance(small_release, City() if name == "city" else distance(name), fused)
    report = gate(release, run_of(release))
    assert report.summary.largest_difference < report.summary.tolerance / 10
    assert all(entry.other_verdicts <= entry.at_the_border for entry in report.sets.values())


def test_a_fused_score_of_earlier_releases_passes_the_gate(small_release):
    release = with_distance(small_release, distance("euclidean"), fused=True)
    fusion = replace(release.classifier.fusion, form=RANKS)
    release = replace(release, classifier=replace(release.classifier, fusion=fusion))
    report = gate(release, run_of(release))
    assert report.summary.largest_difference < report.summary.tolerance / 10


def test_a_release_without_good_parts_has_no_score(small_release):
    """Its score is NaN, and nothing is good, as in Kensa itself."""
    classifier = replace(small_release.classifier, good=None)
    release = replace(small_release, classifier=classifier, thresholds={})
    run = run_of(release)
    assert gate(release, run).sets["gallery"].score is None
    outputs = run(small_release.gallery.maps[:5])
    assert np.isnan(outputs["score"]).all()
    assert (outputs["verdict"] == 1).all()


def test_a_map_that_is_not_finite_is_unreadable_and_has_a_mode(small_release, hidden):
    maps = hidden(each=1).maps.copy()
    maps[1, 3] = np.nan
    outputs, expected = run_of(small_release)(maps), predict(small_release, maps)
    assert CODES[outputs["verdict"][1]] == "unreadable"
    assert outputs["mode"][1] in range(3)
    assert [CODES[code] for code in outputs["verdict"][[0, 2]]] == expected.verdict[[0, 2]].tolist()


def test_the_facts_are_the_releases_and_plain_json(small_release):
    facts = export_facts(small_release, "onnx")
    entries = facts.as_json()
    assert json.loads(json.dumps(entries)) == entries
    assert set(entries) == {
        *("export", "format", "release", "manifest", "weights", "rows", "cols", "input", "outputs", "modes"),
        *("verdicts", "distance", "units", "thresholds"),
    }
    assert (facts.format, facts.release, facts.rows, facts.cols) == ("onnx", "v1", 4, 5)
    assert facts.manifest == file_digest(small_release.path / "manifest.json")
    assert facts.thresholds["good or defect"]["value"] == small_release.defect_threshold
    assert facts.units == {"distance": "euclidean", "score": "euclidean"}
    assert facts.verdicts == ["good", "defect", "unknown", "unreadable"]
