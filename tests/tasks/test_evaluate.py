"""The step `evaluate`: what its report says of a bank that is too large to be evaluated as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.model import TrainingConfig
from tasks.config.run import EvaluateConfig
from tasks.data.bank import load_bank
from tasks.evaluate import evaluate
from tasks.registry.loading import embedded_bank, load_tower
from tasks.registry.release_files import ClassifierArrays, ThresholdSettings
from tasks.train import train


@pytest.mark.slow
def test_the_report_says_how_many_of_how_many_records_are_evaluated(tmp_path):
    """And the leakage report still looks at every record."""
    stage = parts.split_stage(parts.map_column(parts.inspected(modes=3, each=400)), tmp_path)
    fit = TrainingConfig(learning_rate=0.003, epochs=1)
    config = parts.configured(tmp_path, fit=fit, evaluate=EvaluateConfig(most_records=1000, bootstrap=100))
    model = train(stage, config)
    source = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": 1200, "modes": 3}
    facts = {"train": {**source, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    folder = Path(evaluate(stage, model, config, None, facts, ()).path)
    report = json.loads((folder / "report.json").read_text())
    assert report["judged"]["of"] == 1200
    assert report["judged"]["records"] < 1150
    assert report["figures"]["records"] < 180
    assert report["certificate"]["leaks"] == []
    assert "records were evaluated, drawn at random" in (folder / "report.html").read_text()
    assert [layer["kind"] for layer in report["model"]["layers"]] == ["InputLayer", "Dense", "Dense"]
    with np.load(folder / "split.npz", allow_pickle=False) as split:
        assert len(split["hash"]) == 1200  # all that the release has seen, though not all were evaluated


@pytest.mark.slow
def test_a_release_judges_by_the_shifts_that_it_was_evaluated_with(tmp_path):
    """Its prototypes are means of shifted embeddings, and so is each part's embedding; its weights stay those."""
    stage = parts.split_stage(parts.map_column(parts.inspected(modes=3, each=60)), tmp_path)
    fit = TrainingConfig(learning_rate=0.003, epochs=1, prototype="mean-embedding")
    config = parts.configured(tmp_path, fit=fit, evaluate=EvaluateConfig(bootstrap=100)).resolved()
    shifted = replace(config, evaluate=replace(config.evaluate, shifts=5))
    model = train(stage, config)
    assert train(stage, shifted).digest == model.digest
    source = {"source": "parts", "kind": "folder", "revision": "0" * 40, "records": 180, "modes": 3}
    facts = {"train": {**source, "source_kind": "map", "triplets": 1}, "test": None, "changes": None}
    folders = [Path(evaluate(stage, model, run, None, facts, ()).path) for run in (config, shifted)]
    plain, five = (ClassifierArrays.load(folder).prototypes["mean"] for folder in folders)
    settings = [ThresholdSettings.load(folder).shifts for folder in folders]
    assert settings == [1, 5]
    assert not np.allclose(plain, five)
    bank = load_bank(stage.path)
    vectors = embedded_bank(load_tower(model), bank, shifted).part("train").vectors
    mode = bank.mode[bank.rows("train")]
    np.testing.assert_allclose(five[1], vectors[mode == 1].mean(axis=0), rtol=1e-5, atol=1e-6)
