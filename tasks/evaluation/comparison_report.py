"""The comparison of challenger and champion as records: what `report.json` and manifests hold of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from tasks.core.json_form import Json, present_fields, record_of
from tasks.core.sentences import Sentence, code_of

Interval = tuple[float, float]
Unit = Literal["record", "group"]  # what a resampling draws as one
Basis = Literal["modes", "good or defect", "good"]  # what two models can be compared in


@dataclass(frozen=True, kw_only=True)
class PairMetrics:
    """The metrics of all pairs of a record and a mode's prototype (tasks/evaluation/metrics.py).

    `good_auroc`: of good against defective records by the score of good or defect; `good_tpr_at_1_fpr`: the share of
    defects found where 1 % of the good records are stopped. None where one kind is missing; the others are None where
    there is one mode alone, which makes no pairs.
    """

    auroc: float | None = None
    average_precision: float | None = None
    prevalence: float | None = None
    eer: float | None = None
    tpr_at_1_fpr: float | None = None
    tpr_at_5_fpr: float | None = None
    d_prime: float | None = None
    mode_accuracy: float | None = None
    macro_mode_accuracy: float | None = None
    good_auroc: float | None = None
    good_tpr_at_1_fpr: float | None = None

    def as_json(self) -> Json:
        """The metrics that there are."""
        return present_fields(self)


@dataclass(frozen=True)
class Difference:
    """Challenger less champion; no interval where too few units tell them apart.

    Each end of the interval holds with the comparison's confidence.
    """

    difference: float
    interval: Interval | None


@dataclass(frozen=True)
class MetricDifference(Difference):
    """The difference of a metric; `apart`: how many units make it (resampling.effective_units).

    certain: its interval at the `spent_confidence` of the result; None where no error is spent.
    """

    apart: float
    certain: Interval | None = None


@dataclass(frozen=True)
class ModeDifference(Difference):
    """The difference of the accuracies of both on a mode's n records.

    p: how often chance alone would let the mode fall as far, with Holm's correction over the modes
    (paired_rates.adjusted_p_values); None in comparisons that were stored without it.
    """

    n: int
    challenger: float
    champion: float
    p: float | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class PooledModes(ModeDifference):
    """The same for modes together that have too few records each."""

    modes: tuple[str, ...]


@dataclass(frozen=True)
class RateDifference(Difference):
    """The errors of both models on the same n records, each at its own threshold; the difference is that of the rates.

    Escapes are errors on defects, false alarms those on good parts: a difference above 0 is a loss. won: records that
    the champion alone gets wrong, lost: those that the challenger alone gets wrong; None in what an earlier version
    stored.
    """

    n: int
    challenger: int
    champion: int
    won: int | None = None
    lost: int | None = None

    def sentence_params(self, name: str) -> Json:
        """The parameters of a sentence on `escapes` or `false alarms`: rates in per cent, differences in points."""
        low, high = (100 * end for end in self.interval)
        return {
            "rate": Sentence(name),
            "then": 100 * self.champion / self.n,
            "now": 100 * self.challenger / self.n,
            "before": self.champion,
            "after": self.challenger,
            "records": self.n,
            "kind": Sentence("defects" if name == "escapes" else "good parts"),
            "points": 100 * self.difference,
            "low": low,
            "high": high,
        }


@dataclass(frozen=True, kw_only=True)
class PairedResult:
    """Challenger and champion on the same records, drawn `draws` times by the same `units`.

    `same_model`: their distances are equal to the last bit. `figures`: by the metric's name; `modes`: by the mode's.
    `few`: the modes of fewer than `fewest` units, together. unit: in words, unit_kind: in one word. `escapes`,
    `false_alarms`: None where a model has no threshold between good and defect, or the records are not of its kind.
    number: which comparison with this champion it is; spent_confidence: what it needs for the metric that decides
    (promotion/spending.py), None where each comparison needs `confidence`.
    """

    challenger: PairMetrics
    champion: PairMetrics
    same_model: bool
    figures: dict[str, MetricDifference]
    modes: dict[str, ModeDifference]
    few: PooledModes | None
    fewest: int
    unit: str
    unit_kind: Unit = "record"
    units: int
    draws: int
    confidence: float
    escapes: RateDifference | None = None
    false_alarms: RateDifference | None = None
    number: int = 1
    spent_confidence: float | None = None

    def deciding_interval(self, metric: str) -> Interval:
        """The interval of a metric if it decides."""
        entry = self.figures[metric]
        return entry.interval if entry.certain is None else entry.certain

    @property
    def deciding_confidence(self) -> float:
        """The confidence of each end of `deciding_interval`."""
        return self.confidence if self.spent_confidence is None else self.spent_confidence


@dataclass(frozen=True, kw_only=True)
class GateCheck:
    """One demand on the challenger against the champion: to be better, or no worse by more than a margin.

    metric: as in `PairedResult.figures`, or good_tpr and good_fpr at each model's own threshold; mode: of the accuracy
    of one mode. interval: of the difference challenger − champion. margin: the loss that is allowed; below 0 the gain
    that is required. p: in place of the interval, where the loss must be proven (ModeDifference).
    """

    metric: str
    mode: str | None = None
    greater_is_better: bool = True
    challenger: float
    champion: float
    difference: float
    interval: Interval | None
    margin: float
    p: float | None = None
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Champion and challenger on the test records of the set `frozen` that are fair to both.

    `records` of `test_records` were compared. `seen` and `unknown` were left out: the champion was trained, stopped or
    calibrated on them, or does not know their mode. `lost`: modes that only the champion knows; `unjudged`: modes
    without a record to compare. `impossible` says why there is no result. `basis`: what both could be compared in; a
    model from good parts alone knows no modes, and two of them are compared in false alarms.
    """

    version: str
    frozen: str
    champion_frozen: str | None = None
    test_records: int = 0
    records: int = 0
    seen: int | None = None
    unknown: int | None = None
    lost: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    impossible: str | None = None
    basis: Basis = "modes"
    result: PairedResult | None = None

    @property
    def could_promote(self) -> bool:
        """Whether the challenger could be promoted by chance: there is a result, and it is another model."""
        return self.result is not None and not self.result.same_model

    @classmethod
    def from_json(cls, entries: Json) -> Comparison:
        """The comparison as `report.json` holds it, with its result among the other keys."""
        result = record_of(PairedResult, entries) if "figures" in entries else None
        return replace(record_of(cls, entries), result=result)

    def as_json(self) -> Json:
        """The comparison as `report.json` holds it."""
        entries = asdict(self)
        return entries | (entries.pop("result") or {})


@dataclass(frozen=True)
class WorstMode(ModeDifference):
    """The mode in which the challenger does worst against the champion."""

    mode: str


@dataclass(frozen=True, kw_only=True)
class ComparisonSummary:
    """What manifest, command and UI show of a comparison; from `figure` on, None where there is no result.

    Of two models from good parts alone only rates, false alarms and checks are there.

    rates: escapes and false alarms in words, or why they were not compared. checks: what the gate checked, without the
    modes that passed; empty in a comparison that was stored without them, as `rates` is None.
    """

    version: str
    frozen: str
    champion_frozen: str | None
    records: int
    seen: int | None
    verdict: str
    figure: str | None = None
    difference: float | None = None
    interval: Interval | None = None
    confidence: float | None = None
    unit: str | None = None
    worst_mode: WorstMode | None = None
    rates: str | None = None
    escapes: RateDifference | None = None
    false_alarms: RateDifference | None = None
    checks: tuple[GateCheck, ...] = ()

    @classmethod
    def from_json(cls, entries: Json) -> ComparisonSummary:
        """The summary as manifests hold it."""
        verdict = Sentence.from_json(entries["verdict"], entries.get("verdict_code"))
        rates = entries.get("rates") and Sentence.from_json(entries["rates"], entries.get("rates_code"))
        return replace(record_of(cls, entries), verdict=verdict, rates=rates)

    def as_json(self) -> Json:
        """The summary as manifests hold it."""
        entries = asdict(self)
        if self.figure is None and self.false_alarms is None:
            entries = {
                name: entries[name] for name in ("version", "frozen", "champion_frozen", "records", "seen", "verdict")
            }
        codes = {"verdict_code": code_of(self.verdict)}
        return entries | codes | ({} if self.rates is None else {"rates_code": code_of(self.rates)})
