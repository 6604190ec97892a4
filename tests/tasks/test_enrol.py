"""A mode or a lot without training: a release that names its parent, what it does, and what comes after still works."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.enrolling import NEW_MODE, parts_of_new_lot, parts_of_new_mode
from support.inspected_parts import map_column, source
from support.releases import reseal

from tasks.config.run import CostConfig
from tasks.core.authorship import Authorship
from tasks.core.errors import CannotEnrol, MissingStage, NotACandidate, NothingToCalibrate
from tasks.core.inspection import ScoreRequest
from tasks.enrol import enrol
from tasks.enrolment.request import EnrolRequest
from tasks.evaluation.costs import ThresholdRequest
from tasks.pages.release import render_release
from tasks.recalibrate import recalibrate
from tasks.registry.candidates import approve, waiting_candidate
from tasks.registry.champion import champion_state
from tasks.registry.journal import read_journal
from tasks.registry.loading import load_release
from tasks.registry.release_files import PARENT_PAGE, SplitRecords
from tasks.registry.releases import get_release
from tasks.report.history import line_history
from tasks.score import score

MODE = EnrolRequest("mode", NEW_MODE, margin=0.5, recall=0.5)  # whatever the small tower makes of it
LOT = EnrolRequest("lot", margin=0.95)
SATO = Authorship("M. Sato", "new defect since Monday")


@pytest.fixture
def artifacts(line_copy):
    return line_copy.artifacts_path


@pytest.fixture
def new_mode(tmp_path):
    """Eight parts of a mode, as a source."""
    return source(map_column(parts_of_new_mode(8)), tmp_path / "bridges")


@pytest.fixture
def new_lot(tmp_path):
    """Ten good parts of a lot, as a source."""
    return source(map_column(parts_of_new_lot(10)), tmp_path / "lot")


def verdicts(artifacts, parts, folder, version):
    new = source(map_column(parts), folder / "new")
    score(new, artifacts, ScoreRequest(folder / f"{version}.parquet", version=version))
    return pq.read_table(folder / f"{version}.parquet").to_pandas()


def test_a_mode_is_known_and_all_else_stays(line_copy, artifacts, new_mode, tmp_path):
    result = enrol(new_mode, artifacts, line_copy.data_path, MODE, author=SATO)
    assert (result.status, result.release, result.parent, result.champion) == ("released", "v2", "v1", "v1")
    parts = parts_of_new_mode(30, seed=6)
    before, after = (verdicts(artifacts, parts, tmp_path, version) for version in ("v1", "v2"))
    assert not (before["mode"] == NEW_MODE).any()
    assert (after["mode"] == NEW_MODE).mean() > 0.5
    assert before["score"].equals(after["score"]), "whether a part is good does not depend on the modes"
    old, new = (load_release(artifacts, version) for version in ("v1", "v2"))
    assert new.classifier.modes == [*old.classifier.modes, NEW_MODE]
    for name, value in old.classifier.prototypes.items():
        np.testing.assert_array_equal(new.classifier.prototypes[name][:-1], value)
    assert len(new.gallery) == len(old.gallery) + 8
    manifests = [get_release(artifacts, version).manifest for version in ("v1", "v2")]
    assert manifests[0].weights == manifests[1].weights
    assert manifests[1].parent == {"version": "v1", "fingerprint": manifests[0].fingerprint}


def test_the_parts_are_no_longer_new(line_copy, artifacts, new_mode, tmp_path):
    """Agreement with labels is not measured on what a release was made with."""
    enrol(new_mode, artifacts, line_copy.data_path, MODE)
    seen = [
        score(new_mode, artifacts, ScoreRequest(tmp_path / "out.parquet", version=version)).figures.seen
        for version in ("v1", "v2")
    ]
    assert seen == [0, 8]
    enrol(new_mode, artifacts, line_copy.data_path, replace(MODE, name=NEW_MODE, recall=0.4))
    split = SplitRecords.load(artifacts / "releases" / "v3")
    assert len(set(split.hash.tolist())) == len(split.hash)


def test_the_same_is_made_once_and_the_champion_moves_only_if_asked(line_copy, artifacts, new_mode):
    first, again = (enrol(new_mode, artifacts, line_copy.data_path, MODE) for _ in range(2))
    assert (first.status, again.status, again.release) == ("released", "unchanged", "v2")
    assert champion_state(artifacts).champion == "v1"
    assert enrol(new_mode, artifacts, line_copy.data_path, MODE, "v1", promote=True, author=SATO).champion == "v2"
    events = [(entry.event, entry.subject, entry.by) for entry in read_journal(artifacts).entries]
    assert ("enrolled", "v2") in [event[:2] for event in events]
    assert events[-1] == ("promoted", "v2", "M. Sato")


def test_a_mode_that_harms_others_or_is_not_found_again_is_refused_and_leaves_nothing(line_copy, artifacts, tmp_path):
    before = sorted(artifacts.rglob("*"))
    good = replace(parts_of_new_lot(8, level=0.0), label=np.ones(8, int), mode=np.full(8, int(NEW_MODE)))
    like_good = source(map_column(good), tmp_path / "like-good")
    with pytest.raises(CannotEnrol, match=r"the verdicts on the parent's test records to change, found \d+ of 90"):
        enrol(like_good, artifacts, line_copy.data_path, replace(MODE, margin=0.02, recall=0.01))
    mixed = parts_of_new_mode(3), parts_of_new_mode(3, cells=[3, 12])
    mixed = [np.concatenate([getattr(part, name) for part in mixed]) for name in ("maps", "label", "mode", "group")]
    with pytest.raises(CannotEnrol, match=r"100% of its parts or more to be nearest to it when left out, found . of 6"):
        enrol(source(map_column(type(good)(*mixed)), tmp_path / "mixed"), artifacts, line_copy.data_path,
              replace(MODE, recall=1.0))  # fmt: skip
    with pytest.raises(CannotEnrol, match="expected 5 parts of the mode bridge or more, found 0; it has 7 8"):
        eight = source(map_column(parts_of_new_mode(8)), tmp_path / "eight")
        enrol(eight, artifacts, line_copy.data_path, replace(MODE, name="bridge"))
    assert sorted(artifacts.rglob("*")) == before


def test_a_lot_has_its_own_prototype_and_threshold(line_copy, artifacts, new_lot, tmp_path):
    result = enrol(new_lot, artifacts, line_copy.data_path, LOT)
    assert (result.kind, result.name, result.release) == ("lot", "L9", "v2")
    of_lot = parts_of_new_lot(60, seed=10)
    before, after = (verdicts(artifacts, of_lot, tmp_path, version) for version in ("v1", "v2"))
    assert (after["verdict"] != "good").sum() < (before["verdict"] != "good").sum()
    cut = load_release(artifacts, "v2").defect_threshold
    np.testing.assert_allclose(after["margin"], cut - after["score"])
    assert result.facts["thresholds"]["after"] == cut
    manifest = get_release(artifacts, "v2").manifest
    assert not [name for name in manifest.metrics if "good_" in name], "they were measured with another threshold"
    with pytest.raises(NothingToCalibrate, match="v2: expected a release with the scores"):
        enrol(new_lot, artifacts, line_copy.data_path, LOT, version="v2")


def test_a_lot_that_would_pass_defects_and_one_of_few_parts_are_refused(line_copy, artifacts, hidden, tmp_path):
    defects = hidden(each=12, seed=11).take(range(1, 36, 3))  # of the line's own mode 1
    defects = replace(defects, label=np.zeros(12, int), mode=np.zeros(12, int))
    mistaken = source(map_column(defects), tmp_path / "mistaken")
    with pytest.raises(CannotEnrol, match=r"defective test records to pass that were found before, found \d+ of 60"):
        enrol(mistaken, artifacts, line_copy.data_path, replace(LOT, margin=0.02))
    few = source(map_column(parts_of_new_lot(9)), tmp_path / "few")
    with pytest.raises(CannotEnrol, match=r"expected 10 good parts of the lot .* or more, found 9"):
        enrol(few, artifacts, line_copy.data_path, LOT)
    assert [folder.name for folder in (artifacts / "releases").iterdir()] == ["v1"]


def test_a_line_that_asks_for_approval_gets_a_candidate(line_copy, artifacts, new_mode):
    folder = artifacts / "releases" / "v1"
    settings = json.loads((folder / "manifest.json").read_text())["config"]
    reseal(folder, config=settings | {"gate": settings["gate"] | {"approval": "required"}})
    with pytest.raises(NotACandidate, match="--promote: expected --reason"):
        enrol(new_mode, artifacts, line_copy.data_path, MODE, promote=True)
    result = enrol(new_mode, artifacts, line_copy.data_path, MODE)
    assert (result.status, result.champion) == ("candidate", "v1")
    assert waiting_candidate(artifacts).release.version == "v2"
    approve(artifacts, "v2", SATO)
    assert champion_state(artifacts).champion == "v2"


def test_report_card_history_and_a_report_rendered_anew(line_copy, artifacts, new_mode):
    enrol(new_mode, artifacts, line_copy.data_path, MODE)
    folder = artifacts / "releases" / "v2"
    assert "the model of v1 with the mode 7" in (folder / "report.html").read_text()
    assert (folder / "parent.html").read_bytes() == (folder.with_name("v1") / "report.html").read_bytes()
    assert "v1 with the mode 7, enrolled from 8 parts without training" in (folder / "README.md").read_text()
    model = line_history(artifacts).model("v2")
    assert (model.status, model.difference.value) == ("enrolled", None)
    enrolled = get_release(artifacts, "v2")
    page = render_release(enrolled, line_copy.data_path, "ja")
    assert "登録されたリリース" in page, "not its parent's evaluation, which says that the gate was passed"
    assert (enrolled.path / PARENT_PAGE).resolve().as_uri() in page


def test_a_threshold_of_an_enrolled_release_is_told_as_one(line_copy, artifacts, new_mode):
    """The mode stays, and the journal says what was done this time."""
    enrol(new_mode, artifacts, line_copy.data_path, MODE, promote=True)
    recalibrate(artifacts, None, ThresholdRequest("target_fpr", 0.2, CostConfig()), promote=False)
    last = read_journal(artifacts).entries[-1]
    assert (last.event, last.subject, last.facts["parent"]) == ("recalibrated", "v3", "v2")
    assert load_release(artifacts, "v3").classifier.modes[-1] == NEW_MODE
    assert line_history(artifacts).model("v3").status == "recalibrated"


def test_without_the_record_bank_nobody_knows_what_changes(artifacts, new_mode, tmp_path):
    with pytest.raises(MissingStage, match="needed for what enrolling changes"):
        enrol(new_mode, artifacts, tmp_path / "nowhere", MODE)
