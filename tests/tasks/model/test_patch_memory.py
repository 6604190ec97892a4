"""The memory of places: the farthest place of a part, from good training records alone, the same in every runtime."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from keras import ops
from support.inspected_parts import banked, configured, map_column, source
from support.inspected_parts import line as walk

from tasks.config.model import TowerConfig
from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.errors import BadSetting
from tasks.core.inspection import ScoreRequest
from tasks.data.bank import Bank
from tasks.model.embeddings import embed, make_encoder
from tasks.model.fused_score import surprisal
from tasks.model.patch_memory import MAX_RECORDS, MEMORY_SIZE, PatchMemory, fit_patch_memory, places_model
from tasks.model.tower import build_tower
from tasks.registry.champion import current_champion
from tasks.registry.loading import load_classifier, load_release
from tasks.score import score

CONV = RunConfig().resolved().tower
RNG = np.random.default_rng(4)
PLACES = RNG.normal(size=(7, 2, 3, 4)).astype(np.float32)
MEMORY = PatchMemory("pool", RNG.normal(size=(11, 4)).astype(np.float32))


@pytest.fixture
def bank(hidden) -> Bank:
    return banked(hidden(each=60))


@pytest.fixture
def tower(bank):
    return build_tower(replace(CONV, widths="8-6-5"), (4, 5), bank.maps, seed=3)


def test_the_farthest_place_from_its_nearest_vector_decides():
    every = np.linalg.norm(PLACES.reshape(7, 6, 1, 4) - MEMORY.vectors.astype(np.float64), axis=3)
    np.testing.assert_allclose(MEMORY(PLACES), every.min(axis=2).max(axis=1), rtol=1e-9)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has float64 in a graph")
def test_a_graph_computes_the_same():
    np.testing.assert_allclose(ops.convert_to_numpy(MEMORY(ops.convert_to_tensor(PLACES), ops)), MEMORY(PLACES))


def test_blocks_do_not_change_it(monkeypatch):
    whole = MEMORY(PLACES)
    monkeypatch.setattr("tasks.model.patch_memory.ROWS_PER_BLOCK", 5)
    np.testing.assert_allclose(MEMORY(PLACES), whole, rtol=1e-12)
    assert MEMORY(PLACES[:0]).shape == (0,)


def test_it_remembers_places_of_good_training_records_alone(bank, tower):
    memory = fit_patch_memory(tower, bank, seed=1)
    rows = bank.rows("train")
    good = bank.maps[rows[bank.good[rows]]]
    places = places_model(tower, memory.layer).predict(good, verbose=0).reshape(-1, 6)
    assert len(memory.vectors) == min(MEMORY_SIZE, len(places)) > 50
    assert len(good) < MAX_RECORDS
    assert {tuple(row) for row in memory.vectors.tolist()} <= {tuple(row) for row in places.tolist()}
    encoder = make_encoder(tower, memory)
    np.testing.assert_allclose(embed(encoder, good).patches, 0, atol=1e-3)
    assert np.median(embed(encoder, bank.maps[~bank.good]).patches) > 0.1


def test_the_seed_decides_what_is_drawn(bank, tower, monkeypatch):
    monkeypatch.setattr("tasks.model.patch_memory.MEMORY_SIZE", 20)
    first, again, other = (fit_patch_memory(tower, bank, seed).vectors for seed in (1, 1, 2))
    assert len(first) == 20
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_good_records_there_is_no_memory(bank, tower):
    assert fit_patch_memory(tower, replace(bank, good=np.zeros(len(bank.good), bool)), seed=1) is None


def test_a_tower_that_keeps_no_places_is_refused(bank):
    flat = build_tower(replace(CONV, kind="mlp", widths="8-4"), (4, 5), bank.maps)
    with pytest.raises(BadSetting, match="expected a tower with a layer that keeps rows and columns"):
        fit_patch_memory(flat, bank, seed=1)


@pytest.fixture(scope="module")
def released(tmp_path_factory, hidden):
    """A line that is judged with the memory of patches, and the stage of its report."""
    folder = tmp_path_factory.mktemp("line")
    config = configured(folder, preset="best", evaluate=EvaluateConfig(score="patches", bootstrap=100))
    fit = replace(config.fit, epochs=8, steps=20, learning_rate=0.01)
    config = replace(config, fit=fit, tower=TowerConfig(widths="16-16-8"))
    outcome = walk(hidden(), folder, config)
    assert outcome["outcome"].status == "released"
    return config, json.loads((Path(outcome["report"].path) / "report.json").read_text())


@pytest.mark.slow
def test_its_score_is_reported_beside_the_others_and_used(released):
    _, report = released
    scores = report["figures"]["good_scores"]
    assert set(scores) == {"distance", "peak", "fused", "patches"}
    assert report["figures"]["good_auroc"] == scores["patches"]["auroc"]
    assert report["thresholds"][0]["distance"] == "p-values of euclidean and patches"


@pytest.mark.slow
def test_a_release_scores_new_parts_with_what_its_files_hold(released, hidden, tmp_path):
    config, _ = released
    fresh, out = hidden(each=20, seed=1), tmp_path / "out.parquet"
    score(source(map_column(fresh), tmp_path / "new"), config.artifacts_path, ScoreRequest(out))
    release = current_champion(config.artifacts_path)
    with np.load(release.path / "anchors.npz") as file:
        references = [file[f"reference_{name}"] for name in ("distance", "patches")]
        memory = PatchMemory(str(file["patch_layer"]), file["patch_vectors"])
    classifier = load_classifier(release)
    embedded = classifier.embed(fresh.maps)
    patches = memory(classifier.encoder.places.predict(fresh.maps.astype(np.float32), verbose=0))
    values = classifier.good_distances(embedded), patches
    expected = sum(surprisal(value, reference) for value, reference in zip(values, references, strict=True))
    found = pq.read_table(out)["score"].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="an export is made on TensorFlow")
def test_its_export_says_the_same(released, tmp_path):
    """The gate compares score and verdict of the file with those of the release, and would refuse another."""
    from tasks.export import export

    config, _ = released
    result = export(config.artifacts_path, None, "onnx", tmp_path / "cell")
    assert result.status == "exported"
    parity = json.loads((Path(result.path) / "parity.json").read_text())["sets"]
    assert 0 < max(entry["score"] for entry in parity.values()) < 0.01
    assert load_release(config.artifacts_path).classifier.encoder.memory is not None
