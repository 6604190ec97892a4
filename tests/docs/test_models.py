"""docs/models.md: the classes that it shows run, from training to verdict; its words are the settings'."""

from __future__ import annotations

import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts
from support.project import ROOT

from tasks.config.model import PRESETS, TowerConfig, TrainingConfig
from tasks.config.run import RunConfig
from tasks.evaluation.metrics import pair_metrics
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import trained_distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.train import fit

PAGE = (ROOT / "docs" / "models.md").read_text()
SHOWN = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The page's blocks as a module that Python finds."""
    (tmp_path / "own.py").write_text("\n\n".join(SHOWN))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own", None)


@pytest.mark.slow
def test_the_pages_own_distance_and_tower_train_and_judge(own):
    assert len(SHOWN) == 2
    bank = parts.banked(parts.inspected(modes=3, each=60))
    settings = TrainingConfig(distance="own:City", batch=18, records_per_mode=6, steps=15, epochs=4, shift=False)
    config = RunConfig(data=parts.DATA, tower=TowerConfig(kind="own:pooled", widths="16-8"), fit=settings).resolved()
    tower, _, _ = fit(bank, config)
    measure = trained_distance(config.fit)
    assert measure.get_config() == {"name": "own:City"}
    records, rows = EmbeddedBank(make_encoder(tower), bank), bank.rows("test")
    classifier = fit_prototypes("own", records, measure, "mean-embedding")
    vectors, mean = records.part("test").vectors, classifier.prototypes["mean"]
    distances = classifier.mode_distances(records.part("test"))
    np.testing.assert_allclose(distances, np.abs(vectors[:, None] - mean).sum(axis=-1), rtol=1e-6)
    assert pair_metrics(distances, bank.mode[rows]).auroc > 0.6  # it knows what there is, not where


@pytest.mark.slow
def test_the_pages_command_runs_in_the_folder_of_own_py_and_the_release_keeps_it(served, hidden):
    """As the page says: saved in the working folder; afterwards the release is opened without the file."""
    (served.folder / "boards").mkdir()
    pq.write_table(parts.map_column(hidden(200)), served.folder / "boards" / "table.parquet")
    module = served.folder / "own.py"
    module.write_text("\n\n".join(SHOWN))
    words = ("retrain", "--train", "boards", "--json", "--set", "fit.distance=own:City")
    done = served.kensa(*words)
    assert (done.code, done.told["status"]) == (0, "released"), done.err
    assert (served.folder / done.told["path"] / "own" / "own.py").read_text() == module.read_text()
    assert served.kensa(*words).told["status"] == "unchanged"
    module.write_text(module.read_text() + "# changed\n")
    assert served.kensa(*words).told["status"] != "unchanged", "another source is another model"
    module.unlink()
    missing = served.kensa(*words, imports=True)
    assert missing.code == 2
    assert "own: expected a module that Python finds, found none of that name on its path or in" in missing.err
    assert "Traceback" not in missing.err
    assert not {"tensorflow", "keras"} & missing.imported, "known before anything is loaded"
    scored = served.kensa("score", "./boards", "--release", done.told["release"], "--json")
    assert scored.code == 0, scored.err


def test_the_table_names_every_preset():
    assert re.findall(r"^\| `(\w+)`", PAGE, re.M) == list(PRESETS)
