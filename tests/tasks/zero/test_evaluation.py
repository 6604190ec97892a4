"""The evaluation of good parts alone: what it says, what it leaves unsaid, and what its release can do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts

from tasks.config.run import EvaluateConfig
from tasks.core.errors import CannotEnrol, NothingToCalibrate
from tasks.core.facts import BankFacts
from tasks.data.bank import load_bank
from tasks.enrol import enrol
from tasks.enrolment.request import EnrolRequest
from tasks.evaluation.costs import ThresholdRequest
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.evaluation.least_sizes import size_findings
from tasks.pages.release import render_release
from tasks.recalibrate import recalibrate
from tasks.registry.champion import current_champion
from tasks.registry.loading import load_release
from tasks.registry.release_files import DEFECT_THRESHOLD, SplitRecords, read_report
from tasks.registry.releases import get_release
from tasks.report.model_card import model_card
from tasks.scoring.verdicts import predict

pytestmark = pytest.mark.slow


def good_parts(count: int = 240, seed: int = 0) -> parts.Parts:
    """Good parts of one mode."""
    maps = 4 + np.random.default_rng(seed).normal(0, 0.5, (count, parts.ROWS * parts.COLS))
    zeros = np.zeros(count, int)
    return parts.Parts(maps.astype(np.float32), zeros, zeros, np.full(count, ""))


@pytest.fixture(scope="module")
def zero(tmp_path_factory):
    """The settings of a line whose champion is made from good parts alone, and its stages."""
    folder = tmp_path_factory.mktemp("zero")
    config = parts.configured(folder, evaluate=EvaluateConfig(bootstrap=100))
    return config, parts.line(good_parts(), folder, config)


def test_the_release_says_that_its_detection_power_is_unknown(zero):
    config, stages = zero
    release = current_champion(config.artifacts_path)
    assert stages["outcome"].status == "released"
    assert release.manifest.zero == {
        "parts": 204, "lots": 0, "sets": 10, "rule": "target_fpr", "target": 0.05, "windows": 4,
    }  # fmt: skip
    assert "detection power unknown" in (release.path / "report.html").read_text()
    assert "**Detection power unknown**" in (release.path / "README.md").read_text()
    assert "| defects found | unknown |" in (release.path / "README.md").read_text()


def test_nothing_is_measured_but_false_alarms(zero):
    config, _ = zero
    release = current_champion(config.artifacts_path)
    assert release.manifest.metrics.keys() == {"good_fpr", "records"}
    assert release.manifest.metrics["records"] == 36
    report = EvaluationReport.from_json(read_report(release.path))
    assert report.zero == release.manifest.zero
    assert (report.metrics.auroc, report.metrics.good_tpr, report.metrics.angular_accuracy) == (None, None, None)
    assert json.loads(json.dumps(report.as_json())) == read_report(release.path)
    assert report.certificate.leaks == ()


def test_what_is_not_like_the_good_parts_is_unknown(zero):
    """Good ones pass; whatever else comes has no mode that the release knows."""
    config, _ = zero
    loaded = load_release(config.artifacts_path)
    new = good_parts(400, seed=1).maps
    verdicts = predict(loaded, new).verdict
    assert 0.8 < (verdicts == "good").mean() < 1
    dented = new.copy()
    dented[:, 7] += 8
    assert (predict(loaded, dented).verdict == "unknown").all()


def test_the_strangest_good_parts_are_for_people_to_look_at(zero):
    config, _ = zero
    release = current_champion(config.artifacts_path)
    odd = pq.read_table(release.path / "labels.parquet").to_pylist()
    cut = load_release(config.artifacts_path).defect_threshold
    assert 0 < len(odd) < 30
    assert [row["own_distance"] for row in odd] == sorted((row["own_distance"] for row in odd), reverse=True)
    assert all(row["own_distance"] > cut for row in odd)
    assert {row["part"] for row in odd} <= {"train", "test"}


def test_the_page_is_rendered_again_from_the_release_alone(zero, tmp_path):
    """In another language, too; the stages may be gone."""
    config, _ = zero
    release = current_champion(config.artifacts_path)
    assert render_release(release, tmp_path, "en") == (release.path / "report.html").read_text()
    assert "検出力は不明" in render_release(release, tmp_path, "ja")
    japanese = replace(release.manifest, config=release.manifest.config | {"report": {"language": "ja"}})
    card = model_card(japanese, EvaluationReport.from_json(read_report(release.path)))
    assert "**検出力は不明**" in card


def test_parts_are_learnt_from_or_tested_on(zero):
    """Nothing is validated or calibrated apart, and a later training tests on the same good parts."""
    config, stages = zero
    release = current_champion(config.artifacts_path)
    split = SplitRecords.load(release.path)
    assert sorted(set(split.part.tolist())) == [0, 3]
    facts = BankFacts.from_json(stages["triplets"].facts)
    assert facts.good_alone
    assert (facts.records, facts.triplets["triplets_train"]) == (
        {"train": 204, "stop": 0, "calibrate": 0, "test": 36},
        0,
    )
    defects = parts.Parts(good_parts(100, seed=3).maps + 2, np.ones(100, int), np.ones(100, int), np.full(100, ""))
    sides = good_parts(), defects
    both = parts.Parts(*(np.concatenate([getattr(side, name) for side in sides]) for name in vars(defects)))
    later = load_bank(parts.split_stage(parts.map_column(both), Path(config.data_folder).parent / "later").path)
    tested = later.hash[(later.part == 3) & later.good]
    assert set(tested.tolist()) == set(split.hash[split.part == 3].tolist())


def test_the_release_is_opened_with_its_own_threshold(zero):
    config, _ = zero
    loaded = load_release(config.artifacts_path)
    assert loaded.classifier.modes == ["0"]
    assert loaded.thresholds[DEFECT_THRESHOLD].crossed
    assert loaded.mode_radius == 0


def test_what_has_no_meaning_for_it_is_refused_in_one_line(zero, tmp_path):
    config, _ = zero
    with pytest.raises(
        NothingToCalibrate, match=r"found one from good parts alone; retrain with another evaluate\.target"
    ):
        recalibrate(config.artifacts_path, None, ThresholdRequest("target_fpr", 0.1, config.cost), promote=False)
    bent = parts.source(parts.map_column(parts.inspected(modes=2)), tmp_path)
    with pytest.raises(CannotEnrol, match="found one from good parts alone, which knows no modes"):
        enrol(bent, config.artifacts_path, config.data_path, EnrolRequest("mode", "1", 0.05, 0.8))


def test_a_lot_can_be_enrolled(zero, tmp_path):
    """Its ten good parts move the good prototype and the threshold, as of any release."""
    config, _ = zero
    lot = parts.source(parts.map_column(good_parts(12, seed=9)), tmp_path)
    result = enrol(lot, config.artifacts_path, config.data_path, EnrolRequest("lot", None, 0.05, 0.8))
    release = get_release(config.artifacts_path, result.release)
    assert (result.kind, result.status) == ("lot", "released")
    assert "| defects found | unknown |" in (release.path / "README.md").read_text()


def test_of_very_many_good_parts_a_sample_is_used_and_the_report_says_so(tmp_path):
    config = parts.configured(tmp_path, evaluate=EvaluateConfig(bootstrap=100, most_records=1000))
    release = Path(parts.line(good_parts(1500), tmp_path, config)["outcome"].path)
    report = read_report(release)
    assert report["judged"]["of"] == 1500
    assert report["zero"]["parts"] + report["figures"]["records"] == report["judged"]["records"] < 1200
    assert "records were evaluated, drawn at random" in (release / "report.html").read_text()
    assert len(SplitRecords.load(release).hash) == 1500


def sizes(config, good: int, test: int):
    counts = {"train": good, "stop": 0, "calibrate": 0, "test": test}
    facts = BankFacts((4, 5), "record", counts, {"0": counts}, counts, counts, {}, {}, good_alone=True)
    return {finding.name: (finding.success, finding.notes) for finding in size_findings(facts, config)}


def test_how_many_good_parts_are_needed_is_told(tmp_path):
    config = parts.configured(tmp_path)
    found = sizes(config, good=19, test=20)
    assert found["enough good records to calibrate on"] == (
        False,
        "expected 20 at least for evaluate.target=0.05, found 19; add records, or raise evaluate.target, or bring "
        "about 134 good parts in all",
    )
    assert sizes(config, good=20, test=20)["enough good records to calibrate on"][0]
    assert not sizes(config, good=20, test=19)["enough good test records"][0]
    few = replace(config, evaluate=EvaluateConfig(target=0.01))
    assert "134 good parts in all" in sizes(few, good=99, test=20)["enough good records to calibrate on"][1]
    rare = replace(config, evaluate=EvaluateConfig(target=0.001))
    assert "1177 good parts in all" in sizes(rare, good=999, test=200)["enough good records to calibrate on"][1]


def test_a_rule_that_needs_defects_is_refused(tmp_path):
    config = parts.configured(tmp_path, evaluate=EvaluateConfig(rule="youden"))
    assert sizes(config, good=100, test=20)["a rule for good parts alone"] == (
        False,
        "expected target_fpr or target_fpr_pac, found youden, which needs defects; set evaluate.rule",
    )
