"""What the pictures are drawn from is the judgement's own: the same records, and the same draws as its intervals."""

from __future__ import annotations

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.config.run import EvaluateConfig, RunConfig
from tasks.evaluation.bootstrap import Bootstrap
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.report_data import collect_report_data
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
    return bank, collect_report_data(test, train, [test], history, size, test.bootstrap(CONFIG))


def test_the_draws_are_those_of_the_intervals_by_group_where_there_are_enough(judged):
    bank, evidence = judged
    group = bank.group[bank.rows("test")]
    np.testing.assert_array_equal(evidence.weights, Bootstrap(group, 200, 0.95, 5).weights)
    assert (evidence.weights[:, group == "L3"] == evidence.weights[:, group == "L3"][:, :1]).all()


def test_the_curves_pass_through_the_figures(judged):
    _, evidence = judged
    figures, found = pair_metrics(evidence.distances, evidence.mode), curves(evidence, 0.95)
    for at, name in ((0.01, "tpr_at_1_fpr"), (0.05, "tpr_at_5_fpr")):
        assert found["this model"].roc[np.abs(RATES - at).argmin()] == getattr(figures, name)


def test_the_pictures_are_of_the_test_part_alone(judged):
    bank, evidence = judged
    assert len(evidence.mode) == len(bank.rows("test"))
    assert len(evidence.contrasts) == 3
    wrong = evidence.distances.argmin(axis=1) != evidence.mode
    assert len(evidence.mistakes) == min(6, wrong.sum())
