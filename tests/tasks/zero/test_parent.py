"""The parent of a model from good parts alone: whose tower it takes, and which releases cannot be one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.model import ZeroConfig
from tasks.config.run import DataConfig
from tasks.core.errors import BadSetting, UnknownRelease
from tasks.registry.champion import current_champion
from tasks.registry.loading import load_release, load_tower
from tasks.zero.parent import find_parent, with_parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def child(small_line, hidden, tmp_path_factory):
    """The settings of a new line with good parts alone, whose parent is the small line's champion; it has a release."""
    folder = tmp_path_factory.mktemp("child")
    plain = parts.configured(folder, zero=ZeroConfig(parent=str(small_line.artifacts_path)))
    records = hidden(240, seed=5)
    config = with_parent(plain, good_alone=True)
    made = parts.line(records.take(records.mode == 0), folder, config)
    assert made["outcome"].status == "released"
    return plain


def test_the_tower_distance_and_shifts_are_the_parents(small_line, child):
    parent, release = current_champion(small_line.artifacts_path), current_champion(child.artifacts_path)
    assert release.manifest.weights == parent.manifest.weights
    assert release.manifest.distance == parent.manifest.distance
    assert release.manifest.zero["parent"] == {
        "version": "v1",
        "fingerprint": parent.manifest.fingerprint,
        "source": parent.manifest.train.source,
    }
    maps = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    towers = [np.asarray(load_tower(one).predict_on_batch(maps)) for one in (parent, release)]
    assert np.array_equal(*towers)
    assert "the embedding of another line’s tower (" in (release.path / "report.html").read_text()
    assert "- embedded by the tower of another line's release v1 (`" in (release.path / "README.md").read_text()


def test_it_finds_defects_that_the_parent_was_trained_on(child, hidden):
    """None was shown to it; the tower knows them."""
    new, loaded = hidden(100, seed=6), load_release(child.artifacts_path)
    embedded = loaded.classifier.embed(new.maps)
    called = loaded.classifier.score(embedded) > loaded.defect_threshold
    assert called[new.label == 1].mean() > 0.9
    assert called[new.label == 0].mean() < 0.3


def test_a_trained_model_of_the_line_has_the_settings_of_the_line(child):
    assert with_parent(child, good_alone=False) == child


@pytest.mark.parametrize("to", ["", "releases/v1"])
def test_a_folder_of_releases_or_of_one_release_is_named(small_line, to):
    config = replace(small_line, zero=ZeroConfig(parent=str(small_line.artifacts_path / to)))
    assert find_parent(config).version == "v1"


def test_what_cannot_be_a_parent_is_refused(small_line, child, tmp_path):
    here = ZeroConfig(parent=str(small_line.artifacts_path))
    other = replace(child, zero=here, data=DataConfig(rows=3, cols=3))
    with pytest.raises(BadSetting, match=r"found v1, one for 4×5 maps; this run has 3×3"):
        find_parent(other)
    with pytest.raises(BadSetting, match="found v1, one from good parts alone, which has no tower"):
        find_parent(replace(child, zero=ZeroConfig(parent=str(child.artifacts_path))))
    for folder in (tmp_path, Path("nowhere")):
        with pytest.raises(UnknownRelease, match=r"zero\.parent: expected a folder with a champion"):
            find_parent(replace(child, zero=ZeroConfig(parent=str(folder))))
