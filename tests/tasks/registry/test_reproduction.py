"""What is walked again for a release, and how what came of it is result."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.releases import NO_DRAFTS

from tasks.core.errors import NewerRelease, SourceChanged, UnknownRelease
from tasks.core.results import PinnedSource, Stage
from tasks.core.stages import MANIFEST, seal_folder
from tasks.registry.reproduction import (
    compare_with_release,
    find_target,
    require_same_source,
    source_missing,
    target_config,
)


@pytest.fixture
def artifacts(small_line, tmp_path):
    """A copy of the artifacts, to be changed."""
    return Path(shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts", ignore=NO_DRAFTS))


def resealed(artifacts, version="v1", **facts):
    folder = artifacts / "releases" / version
    manifest = json.loads((folder / MANIFEST).read_text())
    seal_folder(
        folder, {key: value for key, value in manifest.items() if key != "files"} | {"version": version} | facts
    )


def calibrated_anew(artifacts, version, parent):
    """A release that has the weights of another."""
    shutil.copytree(artifacts / "releases" / "v1", artifacts / "releases" / version)
    resealed(artifacts, version, parent=parent)


def again(target, weights=None, **metrics):
    """The stages of a training that came out as the release did, but for what is given."""
    manifest = target.trained_release.manifest
    facts = {"weights": weights or manifest.weights, "metrics": manifest.metrics | metrics}
    stages = {name: Stage("", digest, {}, False) for name, digest in manifest.stages.items()}
    return {name: replace(stage, facts=facts) for name, stage in stages.items()}


def test_the_same_training_is_equal_and_has_no_difference(artifacts):
    target = find_target(artifacts, "v1")
    result = compare_with_release(target, again(target), target.trained_release.manifest.git_commit)
    assert (result.verdict, result.release, result.differences) == ("equal", "v1", ())
    assert {"auroc", "mode_accuracy", "good_auroc"} <= set(result.figures)
    assert all(metric.within for metric in result.figures.values())


def test_other_weights_with_figures_within_the_intervals_are_equivalent(artifacts):
    target = find_target(artifacts, "v1")
    low, _ = compare_with_release(target, again(target), None).figures["auroc"].interval
    result = compare_with_release(target, again(target, "f" * 64, auroc=low), "abc")
    weights = target.release.manifest.weights[:12]
    assert result.verdict == "equivalent"
    assert result.differences[0] == f"weights {weights}, now {'f' * 12}"
    assert result.differences[1] == f"Kensa's commit {target.trained_release.manifest.git_commit}, now abc"
    assert result.differences[2].startswith("auroc ")
    assert ", within [" in result.differences[2]


def test_a_figure_outside_its_interval_differs(artifacts):
    target = find_target(artifacts, "v1")
    low, _ = compare_with_release(target, again(target), None).figures["auroc"].interval
    result = compare_with_release(target, again(target, "f" * 64, auroc=low - 1e-6), None)
    assert result.verdict == "differs"
    assert ", outside [" in result.differences[-1]


def test_a_rate_at_a_threshold_is_told_and_does_not_decide(artifacts):
    target = find_target(artifacts, "v1")
    result = compare_with_release(target, again(target, "f" * 64, good_fpr=0.9), None)
    assert result.verdict == "equivalent"
    assert result.differences[-1].startswith("good_fpr ")
    assert "now 0.9000, outside [" in result.differences[-1]


def test_other_packages_and_the_first_other_stage_are_named(artifacts):
    packages = json.loads((artifacts / "releases" / "v1" / MANIFEST).read_text())["packages"]
    resealed(artifacts, packages=packages | {"keras": "3.0.0", "python": "3.1.4"})
    target = find_target(artifacts, "v1")
    stages = again(target)
    stages |= {name: replace(stages[name], digest="e" * 64) for name in ("triplets", "model")}
    result = compare_with_release(target, stages, target.trained_release.manifest.git_commit)
    then = target.trained_release.manifest.stages["triplets"]
    assert result.differences[0] == f"stage triplets {then[:12]}, now {'e' * 12}"
    assert result.differences[1].startswith("keras 3.0.0, now 3.")
    assert result.differences[2].startswith("python 3.1.4, now 3.")
    assert len(result.differences) == 3
    stages = again(target) | {"model": replace(again(target)["model"], digest="e" * 64)}
    assert (
        "(another setting, stage version or Keras backend)" in compare_with_release(target, stages, None).differences[0]
    )


def test_the_settings_are_those_of_the_manifest(artifacts, small_line, tmp_path):
    config = target_config(find_target(artifacts, "v1"), tmp_path)
    assert config.fingerprint_fields() == small_line.fingerprint_fields()
    assert config.data_folder == str(tmp_path)


def test_a_setting_that_nobody_knows_is_told_in_one_line(artifacts, tmp_path):
    config = json.loads((artifacts / "releases" / "v1" / MANIFEST).read_text())["config"]
    resealed(artifacts, config=config | {"fit": config["fit"] | {"magic": 1}})
    with pytest.raises(NewerRelease, match=r"v1: expected settings that this Kensa knows .*magic"):
        target_config(find_target(artifacts, "v1"), tmp_path)


@pytest.mark.parametrize("parent", ["v1", {"version": "v1", "digest": "0" * 64}], ids=["name", "record"])
def test_a_release_that_was_only_calibrated_anew_is_trained_as_its_parent(artifacts, parent):
    calibrated_anew(artifacts, "v2", parent)
    calibrated_anew(artifacts, "v3", "v2")
    target = find_target(artifacts, "v3")
    assert (target.release.version, target.trained_release.version) == ("v3", "v1")
    assert compare_with_release(target, again(target), None).release == "v3"


def test_a_lost_parent_is_told(artifacts):
    calibrated_anew(artifacts, "v2", "v7")
    with pytest.raises(UnknownRelease, match="v7: no such release"):
        find_target(artifacts, "v2")


def test_a_source_that_is_another_by_now_is_refused(artifacts):
    target = find_target(artifacts, "v1")
    source = target.sources["train"]
    same = PinnedSource(source.source, source.kind, source.source, source.revision)
    assert require_same_source(target, "train", same) is same
    with pytest.raises(
        SourceChanged, match=r"on which it was trained, to be available: its content is 999999999999 now$"
    ):
        require_same_source(target, "train", replace(same, revision="9" * 40))
    resealed(artifacts, reading=1)
    with pytest.raises(SourceChanged, match=r"now, or it is read otherwise than by the version that trained it$"):
        require_same_source(find_target(artifacts, "v1"), "train", replace(same, revision="9" * 40))
    assert "v1: expected" in str(source_missing(target, "train", "no such folder"))
