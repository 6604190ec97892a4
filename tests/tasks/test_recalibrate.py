"""Another threshold without training: a release that names its parent, once, and whatever comes after still works."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import line, map_column, source

from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting, CannotCalibrate, NothingToCalibrate
from tasks.core.inspection import ScoreRequest
from tasks.core.stages import MANIFEST, seal_folder
from tasks.evaluation.costs import CHEAPEST, ThresholdRequest
from tasks.evaluation.thresholds import target_fpr
from tasks.publish import find_previous_result
from tasks.recalibrate import recalibrate
from tasks.registry.champion import champion_state, current_champion, promote, rollback
from tasks.registry.release_files import load_scores
from tasks.registry.releases import get_release
from tasks.score import score

PRICES = ("prices", "calibration_prices")


@pytest.fixture
def artifacts(line_copy):
    return line_copy.artifacts_path


def threshold_request(target=0.2, rule="target_fpr", cost=CostConfig()):
    return ThresholdRequest(rule, target, cost)


def test_the_threshold_is_the_rules_on_the_calibration_records(artifacts):
    result = recalibrate(artifacts, None, threshold_request(), promote=False)
    scores = load_scores(artifacts / "releases" / "v1")
    value, defect, _ = scores.part(False)
    assert result.threshold["value"] == target_fpr(value, defect, 0.2)
    stored = get_release(artifacts, "v2").manifest
    assert stored.parent == {"version": "v1", "fingerprint": "f" * 64}
    value, defect, _ = scores.part(True)
    assert stored.metrics["good_fpr"] == pytest.approx((value[~defect] > result.threshold["value"]).mean())
    assert stored.metrics["auroc"] == get_release(artifacts, "v1").manifest.metrics["auroc"]


def test_the_same_is_made_once_and_the_champion_stays_unless_asked(artifacts):
    first, again = (recalibrate(artifacts, "v1", threshold_request(), promote=False) for _ in range(2))
    assert (first.status, again.status, again.release) == ("released", "unchanged", "v2")
    assert champion_state(artifacts).champion == "v1"
    assert recalibrate(artifacts, "v1", threshold_request(), promote=True).champion == "v2"
    assert current_champion(artifacts).version == "v2"
    assert rollback(artifacts).version == "v1"


def test_new_parts_are_judged_by_the_new_threshold(line_copy, artifacts, hidden, tmp_path):
    result = recalibrate(artifacts, None, threshold_request(), promote=True)
    new = source(map_column(hidden(each=40, seed=8)), tmp_path / "new")
    counts = {}
    for version in ("v1", "v2"):
        score(new, line_copy.artifacts_path, ScoreRequest(tmp_path / f"{version}.parquet", version=version))
        counts[version] = (pq.read_table(tmp_path / f"{version}.parquet")["verdict"].to_numpy() == "good").sum()
    assert counts["v2"] < counts["v1"]
    rows = pq.read_table(tmp_path / "v2.parquet")
    cut = result.threshold["value"]
    np.testing.assert_allclose(rows["margin"].to_numpy(), cut - rows["score"].to_numpy())


@pytest.mark.slow
def test_a_retraining_finds_what_it_concluded_and_compares_with_a_recalibrated_champion(line_copy, artifacts, hidden):
    recalibrate(artifacts, None, threshold_request(), promote=True)
    assert find_previous_result(line_copy, "f" * 64).release == "v1", (
        "the run is known, though its release is champion no more"
    )
    outcome = line(hidden(each=260), line_copy.data_path.parent, line_copy, fingerprint="e" * 64)["outcome"]
    assert outcome.comparison["version"] == "v2"
    assert outcome.champion in ("v2", "v3")


@pytest.mark.slow
def test_of_a_recalibrated_release_another_is_made_of_the_same_scores(artifacts):
    recalibrate(artifacts, "v1", threshold_request(0.2), promote=True)
    result = recalibrate(artifacts, "v2", threshold_request(0.1), promote=False)
    straight = recalibrate(artifacts, "v1", threshold_request(0.1), promote=False)
    assert (result.parent, straight.parent) == ("v2", "v1")
    assert result.threshold["value"] == straight.threshold["value"]


def test_the_page_and_the_card_name_parent_and_threshold(artifacts):
    recalibrate(artifacts, None, threshold_request(rule=CHEAPEST, cost=CostConfig(0.02, 100, 5, "EUR")), promote=False)
    folder = artifacts / "releases" / "v2"
    page = (folder / "report.html").read_text()
    assert "the model of v1 with another threshold" in page
    assert "EUR" in page
    facts = get_release(artifacts, "v2").manifest.recalibrated
    costs = {part: facts[part]["after"]["cost"][0] - facts[part]["before"]["cost"][0] for part in PRICES}
    assert costs["calibration_prices"] <= 0, "the calibration records chose it"
    assert (facts["warning"] is not None) is (costs["prices"] > 0)
    assert ("On the test records the new threshold costs more" in page) is (costs["prices"] > 0)
    assert (folder / "parent.html").read_bytes() == (folder.with_name("v1") / "report.html").read_bytes()
    assert "# kensa v2" in (folder / "README.md").read_text()
    assert json.loads((folder / "threshold.json").read_text())["thresholds"][0]["rule"] == CHEAPEST


def test_too_few_good_records_and_costs_unsaid_are_refused_and_leave_nothing(artifacts):
    before = sorted(artifacts.rglob("*"))
    with pytest.raises(CannotCalibrate, match=r"a false-positive rate of 0\.0001 needs 10000"):
        recalibrate(artifacts, None, threshold_request(0.0001), promote=True)
    with pytest.raises(BadSetting, match="--prevalence, --escape and --overkill"):
        threshold_request(rule=CHEAPEST, cost=CostConfig(prevalence=0.1))
    assert sorted(artifacts.rglob("*")) == before


def test_a_release_without_scores_is_refused(artifacts):
    folder = artifacts / "releases" / "v1"
    manifest = get_release(artifacts, "v1").manifest
    (folder / "scores.npz").unlink()
    (folder / MANIFEST).unlink()
    seal_folder(folder, manifest.as_json())
    with pytest.raises(NothingToCalibrate, match="v1: expected a release with the scores"):
        recalibrate(artifacts, None, threshold_request(), promote=False)


def test_promote_takes_it_as_any_other(artifacts):
    recalibrate(artifacts, None, threshold_request(), promote=False)
    assert promote(artifacts, "v2").version == "v2"


def test_another_release_with_the_same_request_is_another(artifacts):
    """Its scores are others, though the words are the same."""
    twin = shutil.copytree(artifacts / "releases" / "v1", artifacts / "releases" / "v2")
    manifest = json.loads((twin / MANIFEST).read_text())
    seal_folder(twin, {**manifest, "version": "v2", "fingerprint": "e" * 64})
    results = [recalibrate(artifacts, version, threshold_request(), promote=False) for version in ("v1", "v2")]
    assert [(result.status, result.parent) for result in results] == [("released", "v1"), ("released", "v2")]
