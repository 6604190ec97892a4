"""The arrays behind the report's pictures: the records and draws of the metrics; examples whose distances are known."""

from __future__ import annotations

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.report_data import collect_report_data, pair_contrasts, worst_misclassifications
from tasks.evaluation.resampling import Resampling
from tasks.evaluation.scored_records import score_bank_part
from tasks.model.classifier import raw_map_baseline
from tasks.model.distances import distance
from tasks.report.curves import RATES, curves

CONFIG = RunConfig(data=parts.DATA, evaluate=EvaluateConfig(bootstrap=200), seed=5)


@pytest.fixture(scope="module")
def judged():
    """Twelve groups in the test part, enough to be drawn whole."""
    bank = parts.banked(parts.inspected(modes=3, each=120, groups=12))
    classifier = raw_map_baseline(distance("euclidean"), bank)
    test, train = (score_bank_part(classifier, bank, part) for part in ("test", "train"))
    history, size = {"best_epoch": 1, "epochs": []}, (parts.ROWS, parts.COLS)
    return bank, collect_report_data(test, train, [test], history, size, test.resampling(CONFIG))


def test_the_resampling_is_that_of_the_intervals_by_group_where_there_are_enough(judged):
    bank, evidence = judged
    group = bank.group[bank.rows("test")]
    weights = evidence.resampling.weights
    np.testing.assert_array_equal(weights, Resampling(group, 200, 0.95, 5, kind="group").weights)
    assert (weights[:, group == "L3"] == weights[:, group == "L3"][:, :1]).all()


def test_the_curves_pass_through_the_figures(judged):
    _, evidence = judged
    figures, found = pair_metrics(evidence.distances, evidence.mode), curves(evidence)
    for at, name in ((0.01, "tpr_at_1_fpr"), (0.05, "tpr_at_5_fpr")):
        assert found["this model"].roc[np.abs(RATES - at).argmin()] == getattr(figures, name)


def test_the_pictures_are_of_the_test_part_alone(judged):
    bank, evidence = judged
    assert len(evidence.mode) == len(bank.rows("test"))
    assert len(evidence.contrasts) == 3
    wrong = evidence.distances.argmin(axis=1) != evidence.mode
    assert len(evidence.mistakes) == min(6, wrong.sum())


def on_a_line(train: list[tuple[float, int]], test: list[tuple[float, int]]) -> Bank:
    """Records of one value each, (value, mode); mode 0 is good; the mode's prototype is its training mean."""
    values, mode = (np.array(column) for column in zip(*train, *test, strict=True))
    count, names = len(mode), ["good", "scratch", "dent"][: mode.max() + 1]
    part = np.repeat([PARTS.index("train"), PARTS.index("test")], [len(train), len(test)])
    maps = values[:, None].astype(np.float32)
    anchors = np.stack([maps[: len(train)][mode[: len(train)] == code].mean(axis=0) for code in range(len(names))])
    hashes, groups = np.arange(count).astype("S32"), np.array([f"L{i}" for i in range(count)])
    return Bank(maps, anchors, mode, mode == 0, part, hashes, groups, names, {})


def scored(bank: Bank, name: str = "euclidean"):
    """The test and the training records by the raw map."""
    classifier = raw_map_baseline(distance(name), bank)
    return score_bank_part(classifier, bank, "test"), score_bank_part(classifier, bank, "train")


TRAIN = [(0, 0), (2, 0), (10, 1), (14, 1), (20, 2), (24, 2)]  # prototypes 1, 12 and 22


def test_the_worst_come_first_with_their_neighbours():
    """9 of good is 8 from its own and 3 from scratch: 5 behind. 11 of dent is 11 and 1: 10 behind, the worst.

    6 of scratch is 6 and 5: 1 behind. The two at home are no mistakes.
    """
    bank = on_a_line(TRAIN, [(9, 0), (1, 0), (11, 2), (6, 1), (13, 1)])
    found = worst_misclassifications(*scored(bank), (1, 1))
    assert [(float(one.record.item()), one.own_mode, one.predicted_mode) for one in found] == [
        (11, "dent", "scratch"),
        (9, "good", "scratch"),
        (6, "scratch", "good"),
    ]
    worst = found[0]
    assert (worst.own.item(), worst.predicted.item()) == (20, 10)
    assert (worst.own_distance, worst.predicted_distance) == pytest.approx((9, 1), abs=1e-5)
    assert (worst.own_prototype, worst.predicted_prototype) == pytest.approx((11, 1), abs=1e-5)
    assert worst.group == "L8"
    assert len(worst_misclassifications(*scored(bank), (1, 1), most=2)) == 2


def test_neighbours_are_training_records_in_the_trained_distance():
    """A test record of the same place would be nearer; the squared distance is what is told."""
    bank = on_a_line(TRAIN, [(11, 2), (11.5, 2)])
    worst = worst_misclassifications(*scored(bank, "squared-euclidean"), (1, 1))[0]
    assert worst.own.item() == 20
    assert worst.own_distance == pytest.approx((20 - worst.record.item()) ** 2, abs=1e-4)


def test_no_mistake_gives_none():
    bank = on_a_line(TRAIN, [(1, 0), (12, 1), (22, 2)])
    assert worst_misclassifications(*scored(bank), (1, 1)) == []


def kinds_of(bank: Bank):
    return pair_contrasts(scored(bank)[0])


def test_each_kind_of_pair_by_hand():
    """Good 0 and 1, scratch 10 and 13, dent 20: each pair both ways, none with itself."""
    one, two, three = kinds_of(on_a_line(TRAIN, [(0, 0), (1, 0), (10, 1), (13, 1), (20, 2)]))
    assert sorted(one.near_values) == pytest.approx([0, 1, 1, 2, 2], abs=1e-5)
    assert len(one.far_values) == 5 * 2
    assert (two.near, sorted(two.near_values)) == ("two defects of one mode", pytest.approx([3, 3], abs=1e-5))
    assert sorted(two.far_values) == pytest.approx([7, 7, 10, 10], abs=1e-5)
    assert (three.near, sorted(three.near_values)) == ("two good parts", pytest.approx([1, 1], abs=1e-5))
    assert sorted(three.far_values) == pytest.approx([9, 10, 12, 13, 19, 20], abs=1e-5)
    assert [contrast.auroc for contrast in (two, three)] == [1, 1]


def test_the_share_of_comparisons_counts_a_tie_half():
    """Own distances 5 and 3 (records 6 and 15) against 6 and 14: 5 and 3 are below both."""
    (one, *_) = kinds_of(on_a_line(TRAIN[:4], [(6, 0), (15, 1)]))
    assert sorted(one.near_values) == pytest.approx([3, 5], abs=1e-5)
    assert one.auroc == 1
    (one, *_) = kinds_of(on_a_line(TRAIN[:4], [(6.5, 0), (6.5, 1)]))
    assert one.auroc == 0.5


def test_without_good_parts_there_are_two_contrasts_of_records():
    bank = on_a_line(TRAIN, [(0, 0), (1, 0), (10, 1), (13, 1)])
    bank.good[:] = False
    found = kinds_of(bank)
    assert [one.near for one in found] == ["record to its own mode’s prototype", "two records of one mode"]
