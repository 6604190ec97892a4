"""How many records each part needs is known before a training, and said with what helps."""

import pytest

from tasks.config.model import TrainingConfig
from tasks.config.run import EvaluateConfig, RunConfig
from tasks.core.errors import UnfitData
from tasks.core.facts import BankFacts
from tasks.data.split import PARTS
from tasks.evaluation.least_sizes import MIN_TEST_RECORDS, require_least_sizes, size_findings


def split_of(records=(400, 30, 90, 90), good=(200, 15, 40, 40), groups=(0, 0, 0, 0)) -> BankFacts:
    counts = [dict(zip(PARTS, numbers, strict=True)) for numbers in (records, good, groups)]
    return BankFacts((4, 5), "record", counts[0], {}, counts[1], counts[2], {}, {})


def failed(facts: BankFacts, **settings) -> dict[str, str]:
    findings = size_findings(facts, RunConfig(**settings))
    return {finding.name: finding.notes for finding in findings if finding.required and not finding.success}


def test_a_split_with_enough_of_each_passes_with_its_counts():
    findings = require_least_sizes(split_of(), RunConfig(preset="notebook"), "acme/boards")
    assert {finding.name: finding.notes for finding in findings} == {
        "enough validation records": "30",
        "enough calibration records": "90",
        "enough test records": "90",
        "enough good calibration records": "40",
        "enough good test records": "40",
        "enough defective calibration records": "50",
        "enough defective test records": "50",
    }


def test_a_target_that_the_good_calibration_records_cannot_show_is_refused_in_one_line():
    photographs = split_of(good=(80, 6, 18, 16))
    with pytest.raises(UnfitData) as error:
        require_least_sizes(photographs, RunConfig(), "./try/maps")
    assert str(error.value) == (
        "./try/maps cannot be trained on: enough good calibration records: expected 20 at least for "
        "evaluate.target=0.05, found 18; add records, or raise split.calibrate or evaluate.target"
    )
    assert failed(photographs, evaluate=EvaluateConfig(target=1 / 18)) == {}
    assert failed(photographs, evaluate=EvaluateConfig(rule="youden")) == {}


def test_a_certain_target_needs_more_good_calibration_records():
    certain = EvaluateConfig(rule="target_fpr_pac", target_confidence=0.9)
    assert failed(split_of(good=(200, 15, 44, 40)), evaluate=certain) == {
        "enough good calibration records": "expected 45 at least for evaluate.target=0.05 with "
        "evaluate.target_confidence=0.9, found 44; add records, or raise split.calibrate or evaluate.target"
    }
    assert failed(split_of(good=(200, 15, 45, 40)), evaluate=certain) == {}


@pytest.mark.parametrize(
    ("records", "good", "check"),
    [
        ((400, 30, 19, 90), (0, 0, 0, 0), "enough calibration records"),
        ((400, 30, 90, MIN_TEST_RECORDS - 1), (0, 0, 0, 0), "enough test records"),
        ((400, 30, 90, 90), (200, 15, 40, 0), "enough good test records"),
        ((400, 30, 90, 90), (200, 15, 40, 90), "enough defective test records"),
        ((400, 30, 90, 90), (200, 15, 90, 40), "enough defective calibration records"),
    ],
)
def test_a_part_without_enough_is_named(records, good, check):
    assert list(failed(split_of(records, good))) == [check]


def test_validation_records_are_counted_only_where_they_choose_the_epoch():
    few = split_of(records=(400, 9, 90, 90))
    assert failed(few) == {}
    assert list(failed(few, preset="notebook")) == ["enough validation records"]
    assert failed(few, preset="notebook", fit=TrainingConfig(keep="last")) == {}


def test_cross_fitting_needs_three_groups_and_calibrates_on_all_that_are_not_tested():
    crossed = EvaluateConfig(cross=5)
    assert failed(split_of(good=(10, 5, 5, 40), groups=(3, 0, 1, 1)), evaluate=crossed) == {}
    few = split_of(good=(10, 5, 4, 40), groups=(1, 0, 0, 1))
    assert failed(few, evaluate=crossed) == {
        "enough groups for evaluate.cross": "expected 3 at least, found 2 in the column 'group'; add records of more "
        "groups, name their column with data.group, or leave evaluate.cross out",
        "enough good calibration records": "expected 20 at least for evaluate.target=0.05, found 19; add records, or "
        "raise split.calibrate or evaluate.target",
    }
    tested_apart = split_of(groups=(1, 0, 1, 5))
    assert list(failed(tested_apart, evaluate=crossed, test="acme/others")) == ["enough groups for evaluate.cross"]
