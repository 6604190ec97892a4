"""A release opened to judge: from its folder alone, and refused where its parts do not belong together."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.releases import NO_DRAFTS

from tasks.core.errors import DamagedRelease, NewerRelease, UnfitRelease, UnknownRelease
from tasks.core.stages import MANIFEST, seal_folder
from tasks.registry.loading import load_release
from tasks.scoring.verdicts import predict


@pytest.fixture
def artifacts(small_line, tmp_path):
    """A copy of the artifacts, to be changed."""
    return Path(shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts", ignore=NO_DRAFTS))


def resealed(artifacts, name, change, **facts):
    """The release with one of its JSON files changed, and digests that fit again."""
    folder = artifacts / "releases" / "v1"
    if name:
        entries = json.loads((folder / name).read_text())
        change(entries)
        (folder / name).write_text(json.dumps(entries))
    manifest = json.loads((folder / MANIFEST).read_text())
    seal_folder(folder, {key: value for key, value in manifest.items() if key != "files"} | facts)


def test_the_champion_is_opened_by_default(artifacts, hidden):
    loaded = load_release(artifacts)
    assert (loaded.release.version, loaded.classifier.modes) == ("v1", ["0", "1", "2"])
    predictions = predict(loaded, hidden(each=20, seed=3).maps)
    np.testing.assert_array_equal(predictions.verdict == "good", predictions.score <= loaded.defect_threshold)
    np.testing.assert_allclose(predictions.margin, loaded.defect_threshold - predictions.score)
    np.testing.assert_allclose(
        predictions.score, loaded.classifier.score(loaded.classifier.embed(hidden(each=20, seed=3).maps)), rtol=1e-6
    )


def test_the_gallery_holds_training_records_of_every_mode(artifacts):
    loaded = load_release(artifacts)
    gallery = loaded.gallery
    with np.load(artifacts / "releases" / "v1" / "split.npz") as split:
        trained = set(split["hash"][split["part"] == 0].tolist())
    assert set(gallery.hash.tolist()) <= trained
    assert set(gallery.mode.tolist()) == {0, 1, 2}
    rows, distances = gallery.nearest(loaded.classifier.distance, gallery.embedded[:7].astype(float), 3)
    np.testing.assert_array_equal(rows[:, 0], np.arange(7), "a record is nearest to itself")
    assert (np.diff(distances, axis=1) >= 0).all()


def test_a_threshold_of_another_distance_is_refused(artifacts):
    resealed(artifacts, "threshold.json", lambda entries: entries["thresholds"][0].update(distance="cosine"))
    with pytest.raises(UnfitRelease, match="'good or defect' in euclidean, found one in cosine"):
        load_release(artifacts)


def test_judging_with_another_distance_than_the_trained_is_refused(artifacts):
    resealed(artifacts, "threshold.json", lambda entries: entries.update(distance={"name": "cosine"}))
    with pytest.raises(
        UnfitRelease, match="expected the euclidean distance, with which its model was trained, found cosine"
    ):
        load_release(artifacts)


def test_another_map_size_is_refused(artifacts):
    resealed(artifacts, "threshold.json", lambda entries: entries.update(rows=5, cols=4))
    with pytest.raises(UnfitRelease, match="4×5 maps, found 20 values and 5×4"):
        load_release(artifacts)


def test_a_release_of_a_later_kensa_is_refused(artifacts):
    resealed(artifacts, None, None, format=99)
    with pytest.raises(NewerRelease, match="found 99"):
        load_release(artifacts)


def test_a_release_that_is_sealed_and_broken_is_damaged(artifacts):
    (artifacts / "releases" / "v1" / "anchors.npz").write_bytes(b"no arrays")
    resealed(artifacts, None, None)
    with pytest.raises(DamagedRelease, match="cannot be opened"):
        load_release(artifacts)


def test_an_unknown_release_is_named(artifacts):
    with pytest.raises(UnknownRelease, match="there are v1"):
        load_release(artifacts, "v9")
