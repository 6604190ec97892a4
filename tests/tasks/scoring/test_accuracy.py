"""What verdicts are worth where labels are known: counts, rates with their intervals, AUROC, confusion."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from tasks.data.decode import DecodedBlock
from tasks.registry.release_files import ReleaseFiles, SplitRecords
from tasks.scoring.accuracy import BINS, MAX_UNKNOWN_MODES, LabelledMetrics, rate_with_interval


@pytest.fixture
def labelled(tmp_path):
    """An empty collection for a release of two modes that has seen the map 7, 7."""
    digest = hashlib.blake2b(np.full(2, 7, np.float32), digest_size=16).hexdigest()
    split = SplitRecords(np.array([digest, "ab" * 16], "S32"), np.array([0, 3]), *np.zeros((3, 2)))
    ReleaseFiles(tmp_path).write_split(split)
    release = SimpleNamespace(path=tmp_path)
    return LabelledMetrics(
        SimpleNamespace(judge=SimpleNamespace(modes=["0", "1"]), data=SimpleNamespace(good="0"), release=release)
    )


def records(label, mode=None, maps=None):
    """Records with those labels and modes; of maps that were never seen, unless given."""
    maps = np.zeros((len(label), 2), np.float32) if maps is None else np.asarray(maps, np.float32)
    return DecodedBlock(None, maps, label, mode or [None] * len(label), [None] * len(label), np.zeros(len(label), bool))


def said(verdict, score=None, mode=None):
    """Verdicts of that text, with scores and nearest modes of one's choice."""
    count = len(verdict)
    return SimpleNamespace(
        verdict=np.array(verdict),
        score=np.zeros(count) if score is None else np.asarray(score, float),
        mode=np.zeros(count, int) if mode is None else np.asarray(mode),
    )


def test_false_alarms_and_escapes_are_counted_on_their_own_kind(labelled):
    labelled.take(said(["good", "defect", "good"]), records(["0", "0", "1"]))
    labelled.take(said(["unknown", "defect", "good"]), records(["1", "1", None]))
    told = labelled.figures()
    assert (told["records"], told["unlabelled"]) == (6, 1)
    assert (told["false_alarms"]["count"], told["false_alarms"]["of"]) == (1, 2)
    assert (told["escapes"]["count"], told["escapes"]["of"]) == (1, 3)
    assert told["balanced_accuracy"] == pytest.approx(1 - (1 / 2 + 1 / 3) / 2)
    assert told["verdicts"]["defect"] == {"good": 1, "defect": 1, "unknown": 1}


def test_the_confusion_has_the_true_mode_in_its_rows(labelled):
    labelled.take(said(["defect"] * 4, mode=[0, 1, 1, 0]), records([None] * 4, ["0", "0", "1", "new"]))
    told = labelled.figures()
    assert told["confusion"] == [[1, 1], [0, 1]]
    assert told["strange_modes"] == {"new": 1}
    assert told["mode_accuracy"]["rate"] == pytest.approx(2 / 3)
    assert told["false_alarms"] is None
    assert told["good_auroc"] is None


def test_without_labels_there_are_no_figures(labelled):
    labelled.take(said(["good"]), records([None]))
    assert labelled.figures() is None


def test_records_that_the_release_has_seen_are_counted_and_left_out(labelled):
    labelled.take(said(["good"] * 3), records(["1", "1", "0"], ["1", "1", "0"], [[7, 7], [1, 2], [7, 7]]))
    told = labelled.figures()
    assert (told["records"], told["seen"]) == (3, 2)
    assert told["escapes"]["of"] == 1
    assert told["false_alarms"] is None
    assert np.sum(told["confusion"]) == 1


def test_names_of_modes_cannot_fill_the_memory(labelled):
    labelled.take(said(["good"] * 500), records(["0"] * 500, [f"mode {i}" for i in range(500)]))
    strange = labelled.figures()["strange_modes"]
    assert len(strange) == MAX_UNKNOWN_MODES + 1
    assert strange["others"] == 500 - MAX_UNKNOWN_MODES


@pytest.mark.parametrize("count", [200, 5 * BINS])
def test_the_auroc_is_scikit_learns_also_where_scores_are_binned(labelled, count):
    """Its error is that of the bins, below 1/BINS; with as few records it is exact."""
    rng = np.random.default_rng(count)
    defect = rng.random(count) < 0.3
    score = np.round(rng.normal(size=count) + defect, 3).astype(np.float32)
    labelled.take(said(["good"] * count, score), records(np.where(defect, "1", "0").tolist()))
    told = labelled.figures()
    exact = roc_auc_score(defect, score)
    assert told["good_auroc"] == pytest.approx(exact, abs=1e-9 if count < BINS else 1 / BINS)
    low, high = told["good_auroc_interval"]
    assert low < exact < high


def test_the_aurocs_interval_is_as_wide_as_theory_says(labelled):
    """Normal scores one deviation apart: Hanley and McNeil's error of the AUROC for 500 and 500."""
    rng = np.random.default_rng(7)
    score = np.concatenate([rng.normal(size=500), rng.normal(1, 1, 500)])
    labelled.take(said(["good"] * 1000, score), records(["0"] * 500 + ["1"] * 500))
    told = labelled.figures()
    a = told["good_auroc"]
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 499 * (q1 - a * a) + 499 * (q2 - a * a)) / 500**2)
    low, high = told["good_auroc_interval"]
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * error, rel=0.15)


def test_nothing_seen_is_not_nothing_possible():
    found = rate_with_interval(0, 100, 0.95)
    assert found["interval"][0] == 0
    assert 0.02 < found["interval"][1] < 0.05
    assert rate_with_interval(0, 0, 0.95) is None
