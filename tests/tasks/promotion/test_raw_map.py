"""A model must be shown to beat the raw map: on noise it wins a quarter of the draws, and is hardly ever released."""

from dataclasses import replace

import numpy as np
import pytest
from support import inspected_parts as parts
from support.evaluations import holdout, report

from tasks.config.run import EvaluateConfig, GateConfig, RunConfig
from tasks.data.bank import Bank
from tasks.evaluation.evaluation_report import EvaluationReport, RawMapGain
from tasks.evaluation.metrics import pair_metrics
from tasks.evaluation.scored_records import ScoredRecords, score_bank_part, score_part
from tasks.model.classifier import fit_prototypes, raw_map_baseline
from tasks.model.distances import distance
from tasks.model.embeddings import EmbeddedBank
from tasks.promotion.comparison import raw_map_gain
from tasks.promotion.raw_map import raw_map_reasons

CONFIG = RunConfig(evaluate=EvaluateConfig(bootstrap=100))


def raw_maps(bank: Bank) -> list[ScoredRecords]:
    return [score_bank_part(raw_map_baseline(distance(name), bank), bank, "test") for name in ("euclidean", "cosine")]


def projected(bank: Bank, weights: np.ndarray) -> ScoredRecords:
    """The test records as a linear tower with these weights sees them."""
    records = EmbeddedBank(lambda maps: np.asarray(maps, float) @ weights, bank)
    return score_part(fit_prototypes("tower", records, distance("euclidean"), "mean-embedding"), records, "test")


def gain(**changes) -> RawMapGain:
    usual = {"baseline": "raw map, rt", "metric": "auroc", "difference": 0.2, "interval": (0.1, 0.3)}
    return RawMapGain(**{**usual, "confidence": 0.95, "unit": "record", **changes})


def test_on_noise_a_lead_of_the_value_alone_is_no_lead():
    """40 worlds without anything to learn: the value alone would release a third of the models."""
    leads = shown = 0
    for seed in range(40):
        bank = parts.banked(parts.noise(4, 60, values=20, seed=seed))
        model = projected(bank, np.random.default_rng(seed).normal(size=(20, 8)))
        against = raw_map_gain(model, raw_maps(bank), CONFIG)
        leads += against.difference > 0
        shown += against.interval[0] > 0
    assert leads > 6
    assert shown <= 4


def test_what_was_learnt_is_shown_with_the_exact_difference():
    """Two cells tell the modes, and eighteen are noise that a projection can leave out."""
    rng = np.random.default_rng(0)
    mode = np.tile(np.arange(3), 100)
    maps = rng.normal(0, 3, (300, parts.ROWS * parts.COLS)).astype(np.float32)
    maps[:, :2] = np.array([[0, 0], [4, 0], [0, 4]])[mode] + rng.normal(0, 0.7, (300, 2))
    bank = parts.banked(parts.Parts(maps, (mode > 0).astype(int), mode, np.array([""] * 300)))
    model = projected(bank, np.eye(20)[:, :2])
    for metric in ("auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision"):
        against = raw_map_gain(model, raw_maps(bank), replace(CONFIG, gate=GateConfig(figure=metric)))
        values = [getattr(pair_metrics(one.distances, one.mode), metric) for one in (model, *raw_maps(bank))]
        assert against.difference == pytest.approx(values[0] - max(values[1:]))
        assert 0 < against.interval[0] < against.difference < against.interval[1]
        assert against.baseline == ("raw map, euclidean", "raw map, cosine")[int(values[2] > values[1])]
        assert (against.metric, against.confidence, against.unit) == (metric, 0.95, "record")


@pytest.mark.parametrize(
    ("low", "margin", "passes"), [(0.001, 0.0, True), (0.0, 0.0, False), (0.05, 0.05, False), (float("nan"), 0, False)]
)
def test_the_lower_end_must_exceed_the_margin(low, margin, passes):
    result = report(metrics=holdout(0.9), raw_map=gain(interval=(low, 0.3)))
    assert (raw_map_reasons(result, GateConfig(beat_raw_by=margin)) == []) is passes


def test_the_reason_shows_the_interval():
    (reason,) = raw_map_reasons(report(raw_map=gain(interval=(-0.01, 0.41))), GateConfig())
    assert reason == (
        "verification AUROC 0.9000 is not shown to beat the raw map, rt (0.7000): difference +0.2000 "
        "[-0.0100, +0.4100] at 95 % confidence; the lower end must exceed 0"
    )
    assert reason.code == "raw_map_not_shown"


def test_a_lower_value_needs_no_interval():
    (reason,) = raw_map_reasons(report(metrics=holdout(0.6), raw_map=gain()), GateConfig())
    assert reason.code == "not_better_than_raw_map"


def test_the_gain_is_stored_and_a_report_of_earlier_versions_has_none():
    stored = report(raw_map=gain()).as_json()
    assert EvaluationReport.from_json(stored).raw_map == gain()
    del stored["raw_map"]
    assert EvaluationReport.from_json(stored).raw_map is None
