"""The result of an evaluation as records: what `report.json` holds, and what report page and model card show.

Light: whoever reads a report imports neither Keras nor scikit-learn.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from tasks.core.json_form import Json, present_fields, record_of
from tasks.core.results import Finding
from tasks.core.sentences import code_of, read_sentences
from tasks.evaluation.comparison_report import Comparison, ComparisonSummary, Interval, PairMetrics, Unit
from tasks.evaluation.leakage_report import LeakageReport
from tasks.registry.manifest import FrozenSet, SourceSummary
from tasks.registry.release_files import Threshold

BaselineKind = Literal["raw map", "untrained tower"]
THRESHOLD_METRICS = ("good_accuracy", "good_balanced_accuracy", "good_fpr", "good_tpr")


@dataclass(frozen=True)
class Auroc:
    """An AUROC with its resampling interval.

    Of scores also the share of defects found at 1 % false alarms, and the rates at a threshold of its own, which the
    configured rule finds on the calibration part; None where there is none, and in reports of earlier versions.
    """

    auroc: float
    interval: Interval
    tpr_at_1_fpr: float | None = None
    fpr: float | None = None
    tpr: float | None = None


@dataclass(frozen=True)
class ModeMetrics:
    """The metrics of one mode's n test records; AUROC and TPR are None where there are no others."""

    n: int
    accuracy: float
    auroc: float | None = None
    tpr_at_5_fpr: float | None = None
    accuracy_interval: Interval | None = None


@dataclass(frozen=True)
class GroupMetrics:
    """The metrics of one group's n test records, `good` of them good; None where its records do not give them."""

    n: int
    good: int
    mode_accuracy: float
    auroc: float
    good_auroc: float | None = None
    fpr: float | None = None
    tpr: float | None = None
    balanced_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class HoldoutMetrics(PairMetrics):
    """All metrics of a model on the test part; None or empty where its records do not give them.

    Of a model from good parts alone there are false alarms and nothing else.

    angular_accuracy, angular_auroc: the notebook's. good_scores: AUROC of each score. good_accuracy, …: at the
    calibrated threshold. interval_unit: in words, what the resampling draws; interval_unit_kind: in one word.
    """

    recall_at_1: float | None = None
    map_at_r: float | None = None
    triplet_accuracy: float | None = None
    angular_accuracy: float | None = None
    angular_auroc: float | None = None
    good_auroc_interval: Interval | None = None
    good_scores: dict[str, Auroc] | None = None
    good_accuracy: float | None = None
    good_accuracy_interval: Interval | None = None
    good_balanced_accuracy: float | None = None
    good_balanced_accuracy_interval: Interval | None = None
    good_fpr: float | None = None
    good_fpr_interval: Interval | None = None
    good_tpr: float | None = None
    good_tpr_interval: Interval | None = None
    good_fpr_by_group: dict[str, float] | None = None
    calibration_fpr_by_group: dict[str, float] | None = None
    macro: dict[str, float]
    macro_intervals: dict[str, Interval]
    per_mode: dict[str, ModeMetrics]
    per_group: dict[str, GroupMetrics]
    intervals: dict[str, Interval]
    interval_unit: str = "record"
    interval_unit_kind: Unit = "record"
    records: int

    @classmethod
    def from_json(cls, entries: Json) -> HoldoutMetrics:
        """The metrics as `report.json` holds them."""
        return record_of(cls, entries | {"angular_accuracy": entries.get("angular_accuracy_at_0.5")})

    def as_json(self) -> Json:
        """The metrics that there are, by their stored names."""
        entries = super().as_json()
        if self.angular_accuracy is not None:
            entries["angular_accuracy_at_0.5"] = entries.pop("angular_accuracy")
        entries |= {f"good_auroc_{name}": score.auroc for name, score in (self.good_scores or {}).items()}
        tables = {"per_mode": self.per_mode, "per_group": self.per_group}
        return entries | {
            table: {name: present_fields(row) for name, row in rows.items()} for table, rows in tables.items()
        }

    def plain_numbers(self) -> dict[str, float]:
        """The metrics that are one number each, as `--json` and `kensa releases` show them."""
        return {name: value for name, value in self.as_json().items() if isinstance(value, float | int)}


@dataclass(frozen=True)
class Baseline:
    """What a model without training reaches on the same test records."""

    name: str
    kind: BaselineKind
    metrics: PairMetrics

    @classmethod
    def from_json(cls, name: str, entries: Json) -> Baseline:
        """The baseline of an entry in `report.json`; before kinds were stored, the name began with the kind."""
        return cls(name, entries.get("kind", name.partition(",")[0]), record_of(PairMetrics, entries))

    def as_json(self) -> Json:
        """The entry under the baseline's name."""
        return {"kind": self.kind, **self.metrics.as_json()}


@dataclass(frozen=True, kw_only=True)
class RawMapGain:
    """What the model has over the best raw-map baseline in a metric, on the same test records.

    Each end of the interval holds with `confidence`; unit: what was resampled, in words.
    """

    baseline: str
    metric: str
    difference: float
    interval: Interval
    confidence: float
    unit: str


@dataclass(frozen=True)
class Estimate:
    """A share or an AUROC with its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class CrossedGroup:
    """The rates of one group's n records, `good` of them good, by a model that was not trained on it.

    mode_accuracy: of modes that were trained without the group; fpr, tpr: at the threshold of the other groups. None
    where there is none, or no such record.
    """

    n: int
    good: int
    mode_accuracy: float | None = None
    fpr: float | None = None
    tpr: float | None = None


@dataclass(frozen=True, kw_only=True)
class CrossFitting:
    """What cross-fitting says of new groups (tasks/evaluation/cross_fitting.py).

    sets: of groups that were tested; failed: why the others were not, by their names. metrics: of all records together,
    by the names of HoldoutMetrics; thresholds: by which each set was judged; test_threshold: by which the run's own
    test part is, which its groups had no part in. unit: what was resampled, in words.
    """

    sets: int
    failed: dict[str, str]
    groups: int = 0
    records: int = 0
    unit: str = ""
    metrics: dict[str, Estimate] = field(default_factory=dict)
    by_group: dict[str, CrossedGroup] = field(default_factory=dict)
    thresholds: tuple[float | None, ...] = ()
    test_threshold: float | None = None


@dataclass(frozen=True)
class SettingChange:
    """A setting, by its key, that the champion had another value of."""

    setting: str
    champion: Any
    model: Any


@dataclass(frozen=True, kw_only=True)
class HoldoutResult:
    """What the gate decides by: the metrics, baselines, thresholds and comparison on the test part, and the leaks.

    raw_map: None in reports of earlier versions.
    """

    metrics: HoldoutMetrics
    baselines: tuple[Baseline, ...]
    thresholds: tuple[Threshold, ...]
    frozen: FrozenSet
    comparison: Comparison | None
    certificate: LeakageReport
    raw_map: RawMapGain | None = None

    def best_raw_map(self, metric: str) -> tuple[str, float]:
        """Name and value of the raw-map baseline with the largest value of a metric."""
        raw = {item.name: getattr(item.metrics, metric) for item in self.baselines if item.kind == "raw map"}
        best = max(raw, key=raw.__getitem__)
        return best, raw[best]

    def threshold(self, name: str) -> Threshold | None:
        """The threshold of that name, if the model has one."""
        return next((item for item in self.thresholds if item.name == name), None)


@dataclass(frozen=True, kw_only=True)
class EvaluationReport(HoldoutResult):
    """All that `report.json` holds.

    train, test: the sources; changes, data, model, history, settings: JSON of the steps before; judged: how many of
    the bank's records were evaluated, None for all; labels: how many were checked, and suspects; unseen, permutation,
    replay: tasks/evaluation/ablation.py; cross: None where it was not asked for; setting_changes: None without a
    champion. Both are None in reports of earlier versions. zero: of a model from good parts alone how it was made
    (tasks/zero), None of all others.
    """

    train: SourceSummary
    test: SourceSummary | None
    changes: Json | None = None
    verdict: ComparisonSummary | None
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    data: Json
    model: Json
    history: Json
    settings: Json
    preset: str
    judged: Json | None = None
    labels: Json | None = None
    unseen: Json | None = None
    permutation: Json | None = None
    replay: Json | None = None
    cross: CrossFitting | None = None
    setting_changes: tuple[SettingChange, ...] | None = None
    zero: Json | None = None

    @classmethod
    def from_json(cls, entries: Json) -> EvaluationReport:
        """The report as it is stored."""
        baselines = tuple(Baseline.from_json(name, entry) for name, entry in entries["baselines"].items())
        reasons = read_sentences(entries["reasons"], entries.get("reason_codes"))
        report = record_of(cls, entries | {"metrics": entries["figures"], "baselines": ()})
        return replace(report, baselines=baselines, reasons=reasons)

    def as_json(self) -> Json:
        """The report as it is stored."""
        entries = asdict(self)
        del entries["metrics"]
        for name in ("train", "test", "frozen", "comparison", "verdict", "certificate"):
            record = getattr(self, name)
            entries[name] = None if record is None else record.as_json()
        return entries | {
            "reason_codes": [code_of(reason) for reason in self.reasons],
            "figures": self.metrics.as_json(),
            "baselines": {baseline.name: baseline.as_json() for baseline in self.baselines},
        }
