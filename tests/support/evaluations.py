"""Results of evaluations without a model: metrics, comparisons and reports, each but for what a test changes."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations
from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.sentences import sentence
from tasks.data.split import PARTS
from tasks.evaluation.comparison_report import (
    Comparison,
    MetricDifference,
    ModeDifference,
    PairedResult,
    PairMetrics,
)
from tasks.evaluation.evaluation_report import (
    Baseline,
    EvaluationReport,
    HoldoutMetrics,
)
from tasks.evaluation.leakage_report import LeakageReport, NamedGroups, Overlap, Provenance
from tasks.evaluation.resampling import Resampling
from tasks.promotion.paired_metrics import paired_result, with_good_or_defect
from tasks.promotion.paired_rates import AnomalyScores
from tasks.registry.manifest import FrozenSet, SourceSummary
from tasks.registry.release_files import DEFECT_THRESHOLD, MODE_THRESHOLD, Threshold

GATE_METRICS = ("auroc", "mode_accuracy", "macro_mode_accuracy", "average_precision")
PAIR_METRICS = [field.name for field in fields(PairMetrics) if not field.name.startswith("good_")]


def pairs(value: float, **changes: float) -> PairMetrics:
    """Metrics that are all the same number."""
    return PairMetrics(**dict.fromkeys(PAIR_METRICS, value) | changes)


def holdout(value: float = 0.9, **changes: Any) -> HoldoutMetrics:
    """Metrics of a model on 40 test records; by default all are the same number."""
    intervals = dict.fromkeys(("auroc", "mode_accuracy"), (value - 0.05, value + 0.05))
    notebook = {"triplet_accuracy": value, "angular_accuracy": 0.5, "angular_auroc": value}
    tables: dict[str, Any] = {"macro": {}, "macro_intervals": {}, "per_mode": {}, "per_group": {}}
    values = dict.fromkeys(PAIR_METRICS, value) | notebook | tables | {"intervals": intervals, "records": 40}
    return HoldoutMetrics(**values | changes)


def difference(value: float, half: float = 0.0) -> MetricDifference:
    """A difference with its interval, `half` wide on either side."""
    return MetricDifference(value, (value - half, value + half), 40.0)


def mode_difference(value: float, interval: tuple[float, float] | None, n: int = 40) -> ModeDifference:
    """A mode that the champion has right in 9 of 10 records."""
    return ModeDifference(value, interval, n, 0.9 + value, 0.9)


def comparison(value: float = 0.05, half: float = 0.02, lost: tuple[str, ...] = (), **changes: Any) -> Comparison:
    """Challenger less champion v3: the same difference in every metric, none in any mode."""
    result = PairedResult(
        challenger=pairs(0.9),
        champion=pairs(0.9 - value),
        same_model=False,
        figures={name: difference(value, half) for name in GATE_METRICS},
        modes={"0": mode_difference(0.0, (-0.02, 0.02)), "1": mode_difference(0.0, (0.0, 0.0))},
        few=None,
        fewest=5,
        unit="record (too few groups: 3)",
        units=40,
        draws=1000,
        confidence=0.95,
    )
    return Comparison(
        version="v3",
        frozen="f2",
        champion_frozen="f1",
        test_records=45,
        records=40,
        seen=5,
        unknown=0,
        lost=lost,
        result=replace(result, **changes),
    )


def more_escapes() -> Comparison:
    """A challenger that separates good parts from defects and the modes better than its champion, with a bad threshold.

    Of 150 defects the champion misses 58 and the challenger 91; of 100 good parts they stop 10 and none.
    """
    mode, good = np.repeat([0, 1, 2], [100, 75, 75]), np.repeat([True, False], [100, 150])
    distances = (np.arange(3) != mode[:, None]).astype(float)
    wrong = np.where((np.arange(250) % 10 == 0)[:, None], 1 - distances, distances)
    scores = np.concatenate([np.linspace(0, 0.5, 100), np.linspace(0.6, 0.9, 91), np.linspace(1.1, 2, 59)])
    stopped, missed = np.linspace(1.1, 1.5, 10), np.linspace(0.2, 0.9, 58)
    then = np.concatenate([np.linspace(0, 0.9, 90), stopped, missed, np.linspace(1.1, 2, 92)])
    resampling = Resampling(np.arange(250), 1000, 0.95, 1)
    result = paired_result(distances, wrong, mode, ["good", "scratch", "dent"], resampling)
    result = with_good_or_defect(result, AnomalyScores(scores, 1.0), AnomalyScores(then, 1.0), good, resampling)
    counts = {"test_records": 250, "records": 250, "seen": 0, "unknown": 0}
    return Comparison(version="v3", frozen="f2", champion_frozen="f1", **counts, result=result)


def impossible(why: str = "too few") -> Comparison:
    """A comparison with champion v3 that could not be made."""
    return Comparison(version="v3", frozen="f1", records=3, impossible=why)


def leakage(**changes: Any) -> LeakageReport:
    """A clean leakage report."""
    same = Provenance(True, 0.0, "c0ffee" * 10)
    return replace(
        LeakageReport(
            verdict=sentence("clean_records"),
            leaks=(),
            cuts=(),
            overlaps=tuple(Overlap(pair, 0, 0, 0) for pair in combinations(PARTS, 2)),
            mislabelled_hashes=0,
            crossing_triplets=0,
            groups=NamedGroups(0, 0, ()),
            components=None,
            anchors=same,
            prototypes=same,
            dropped={"dropped_contradictory": 31},
            split_by="record",
        ),
        **changes,
    )


def threshold(name: str = DEFECT_THRESHOLD, value: float | None = 1.5, refused: str | None = None) -> Threshold:
    """A calibrated threshold, or a refused one."""
    rule, target = ("target_fpr", 0.05) if name == DEFECT_THRESHOLD else ("youden", None)
    interval = None if value is None else (value - 0.1, value + 0.1)
    return Threshold(name, rule, target, "euclidean", 240, 80, value, interval, refused)


LAYERS = [
    {"kind": "InputLayer", "details": "", "shape": [20], "parameters": 0, "inputs": []},
    {"kind": "Dense", "details": "", "shape": [8], "parameters": 168, "inputs": [0]},
]


def report(value: float = 0.9, raw: tuple[float, float] = (0.6, 0.7), **changes: Any) -> EvaluationReport:
    """The report of a model that passes the gate; raw: the metrics of two raw-map baselines."""
    validation = {"val_auroc": 0.8, "val_mode_accuracy": 0.6}
    log = [{"epoch": i, "loss": 1 / i, "val_loss": abs(i - 2) + 0.5, **validation, "active": 0.5} for i in (1, 2, 3)]
    counts = {name: dict.fromkeys(PARTS, 0) for name in ("records", "good", "groups")}
    return EvaluationReport(
        **{
            "metrics": holdout(value),
            "baselines": (
                Baseline("raw map, euclidean", "raw map", pairs(raw[0])),
                Baseline("raw map, rt", "raw map", pairs(raw[1])),
                Baseline("untrained tower", "untrained tower", pairs(0.99)),
            ),
            "thresholds": (threshold(), threshold(MODE_THRESHOLD)),
            "frozen": FrozenSet(version="f1", digest="d" * 64, records=40, modes=3),
            "comparison": None,
            "certificate": leakage(),
            "train": SourceSummary(source="acme/boards", kind="hub", revision="0123abc", records=200, modes=3),
            "test": None,
            "verdict": None,
            "reasons": (),
            "findings": (),
            "data": {"split_by": "record", "modes": {}, **counts},
            "model": {"weights": "3a" * 32, "parameters": 883584, "best_epoch": 2, "layers": LAYERS},
            "history": {"best_epoch": 2, "epochs": log},
            "settings": RunConfig(preset="notebook").fingerprint_fields(),
            "preset": "notebook",
            **changes,
        }
    )
