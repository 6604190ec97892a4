"""How well verdicts agree with labels: counts, rates with their intervals, AUROC, confusion."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from support.scored_parts import predictions

from tasks.data.decode import DecodedBlock
from tasks.registry.release_files import SplitRecords
from tasks.scoring import accuracy
from tasks.scoring.accuracy import MAX_BINS, MAX_LABELS, MAX_UNKNOWN_MODES, LabelledMetrics, proportion
from tasks.scoring.batch import ScoredBatch


@pytest.fixture
def metrics(tmp_path):
    """Empty metrics of a release with two modes, which was trained on the map 7, 7."""
    digest = hashlib.blake2b(np.full(2, 7, np.float32), digest_size=16).hexdigest()
    split = SplitRecords(np.array([digest, "ab" * 16], "S32"), np.array([0, 3]), *np.zeros((3, 2)))
    split.save(tmp_path)
    return empty_metrics(tmp_path)


def empty_metrics(folder):
    classifier, data = SimpleNamespace(modes=["0", "1"]), SimpleNamespace(good="0")
    return LabelledMetrics(SimpleNamespace(classifier=classifier, data=data, path=folder))


def batch(verdict, label, mode=None, maps=None, nearest=0, score=0.0):
    """Records with those labels and modes, and the predictions on them; of maps that are new unless given."""
    maps = np.zeros((len(label), 2), np.float32) if maps is None else np.asarray(maps, np.float32)
    nothing = [None] * len(label)
    records = DecodedBlock(None, maps, label, mode or nothing, nothing, np.zeros(len(label), bool))
    return ScoredBatch(
        0, records, predictions(verdict, mode=nearest + np.zeros(len(label), int), score=score + np.zeros(len(label)))
    )


def test_false_alarms_and_escapes_are_counted_on_their_own_kind(metrics):
    metrics.update(batch(["good", "defect", "good"], ["0", "0", "1"]))
    metrics.update(batch(["unknown", "defect", "good"], ["1", "1", None]))
    result = metrics.result()
    assert (result.records, result.unlabelled) == (6, 1)
    assert (result.false_alarms.count, result.false_alarms.of) == (1, 2)
    assert (result.escapes.count, result.escapes.of) == (1, 3)
    assert result.balanced_accuracy == pytest.approx(1 - (1 / 2 + 1 / 3) / 2)
    assert result.verdicts["defect"] == {"good": 1, "defect": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("good", "labels", "lacks"),
    [
        ("0", ["OK", "NG", None], True),
        ("OK", ["OK", "NG", None], False),
        ("0", ["0", "2"], False),
        ("0", ["1"], True),
        ("0", [None], False),
        ("none", ["1", "2"], False),
    ],
)
def test_labels_among_which_none_stands_for_good_are_known(metrics, good, labels, lacks):
    metrics.good_label = good
    metrics.update(batch(["good"] * len(labels), labels, ["0"] * len(labels)))
    result = metrics.result()
    assert (result.good_label, result.lacks_good) == (good, lacks)
    assert result.labels == {label: 1 for label in labels if label}


def test_the_good_label_is_counted_however_many_others_there_are(metrics):
    labels = [f"defect {i}" for i in range(MAX_LABELS + 3)]
    metrics.update(batch(["good"] * (len(labels) + 1), [*labels, "0"]))
    result = metrics.result()
    assert (result.labels["others"], result.labels["0"], result.lacks_good) == (3, 1, False)


def test_the_confusion_has_the_true_mode_in_its_rows(metrics):
    metrics.update(batch(["defect"] * 4, [None] * 4, ["0", "0", "1", "new"], nearest=[0, 1, 1, 0]))
    result = metrics.result()
    assert result.confusion == [[1, 1], [0, 1]]
    assert result.strange_modes == {"new": 1}
    assert result.mode_accuracy.rate == pytest.approx(2 / 3)
    assert result.false_alarms is None
    assert result.good_auroc is None


def test_good_parts_have_no_mode_that_a_release_could_lack(metrics):
    """A release calls theirs "0"; in a folder of photographs it is "good"."""
    metrics.update(batch(["good", "defect"], ["0", "1"], ["good", "1"], nearest=[0, 1]))
    assert metrics.result().strange_modes == {}
    assert metrics.result().false_alarms.of == 1


def test_without_labels_there_is_no_result(metrics):
    metrics.update(batch(["good"], [None]))
    assert metrics.result() is None


def test_records_that_made_the_release_are_counted_and_left_out(metrics):
    metrics.update(batch(["good"] * 3, ["1", "1", "0"], ["1", "1", "0"], [[7, 7], [1, 2], [7, 7]]))
    result = metrics.result()
    assert (result.records, result.seen) == (3, 2)
    assert result.escapes.of == 1
    assert result.false_alarms is None
    assert np.sum(result.confusion) == 1


def test_names_of_modes_cannot_fill_the_memory(metrics):
    metrics.update(batch(["good"] * 500, ["1"] * 500, [f"mode {i}" for i in range(500)]))
    strange = metrics.result().strange_modes
    assert len(strange) == MAX_UNKNOWN_MODES + 1
    assert strange["others"] == 500 - MAX_UNKNOWN_MODES


@pytest.mark.parametrize("count", [200, 5 * MAX_BINS])
def test_the_auroc_is_scikit_learns_also_where_scores_are_binned(metrics, count):
    """Its error is that of the bins, below 1/MAX_BINS; with as few records as bins it is exact."""
    rng = np.random.default_rng(count)
    defect = rng.random(count) < 0.3
    score = np.round(rng.normal(size=count) + defect, 3).astype(np.float32)
    metrics.update(batch(["good"] * count, np.where(defect, "1", "0").tolist(), score=score))
    result, exact = metrics.result(), roc_auc_score(defect, score)
    assert result.good_auroc == pytest.approx(exact, abs=1e-9 if count < MAX_BINS else 1 / MAX_BINS)
    low, high = result.good_auroc_interval
    assert low < exact < high


@pytest.mark.parametrize("count", [200, 3 * MAX_BINS])
def test_the_auroc_is_that_of_bins_by_numpys_quantiles_whatever_the_batches(metrics, tmp_path, monkeypatch, count):
    rng = np.random.default_rng(count)
    defect = rng.random(count) < 0.3
    score = (rng.normal(size=count) + defect).astype(np.float32)
    label = np.where(defect, "1", "0").tolist()
    edges = np.unique(np.quantile(score, np.linspace(0, 1, MAX_BINS), method="lower") if count > MAX_BINS else score)
    metrics.update(batch(["good"] * count, label, score=score))
    whole = metrics.result()
    assert whole.good_auroc == pytest.approx(roc_auc_score(defect, np.searchsorted(edges, score, "right")), abs=1e-12)
    monkeypatch.setattr(accuracy, "BOOTSTRAP_BLOCKS", 7)
    by_batches = empty_metrics(tmp_path)
    for start in range(0, count, 70):
        rows = slice(start, start + 70)
        by_batches.update(batch(["good"] * len(label[rows]), label[rows], score=score[rows]))
    assert by_batches.result() == whole


def test_the_aurocs_interval_is_as_wide_as_theory_says(metrics):
    """Normal scores one deviation apart: Hanley and McNeil's error of the AUROC for 500 and 500."""
    rng = np.random.default_rng(7)
    score = np.concatenate([rng.normal(size=500), rng.normal(1, 1, 500)])
    metrics.update(batch(["good"] * 1000, ["0"] * 500 + ["1"] * 500, score=score))
    result = metrics.result()
    a = result.good_auroc
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 499 * (q1 - a * a) + 499 * (q2 - a * a)) / 500**2)
    low, high = result.good_auroc_interval
    assert high - low == pytest.approx(2 * norm.ppf(0.975) * error, rel=0.15)


def test_nothing_seen_is_not_nothing_possible():
    low, high = proportion(0, 100, 0.95).interval
    assert low == 0
    assert 0.02 < high < 0.05
    assert proportion(0, 0, 0.95) is None
