"""The gate: the reasons for which a draft does not become a release."""

from __future__ import annotations

from dataclasses import replace

from tasks.config.run import GateConfig
from tasks.core.sentences import Sentence, sentence
from tasks.evaluation.comparison_report import (
    Comparison,
    ComparisonSummary,
    Difference,
    MetricDifference,
    ModeDifference,
    PairedResult,
    WorstMode,
)
from tasks.evaluation.evaluation_report import HoldoutResult

MAX_NAMED_MODES = 8


def reasons_to_reject(result: HoldoutResult, settings: GateConfig) -> tuple[Sentence, ...]:
    """Why the model may not be released; no reason lets it pass."""
    return (
        *(sentence("leak", leak=leak) for leak in result.certificate.leaks),
        *_against_raw_map(result, settings),
        *(
            sentence("no_threshold", name=Sentence(threshold.name), why=threshold.refused)
            for threshold in result.thresholds
            if threshold.refused
        ),
        *_against_champion(result.comparison, settings),
    )


def _against_raw_map(result: HoldoutResult, settings: GateConfig) -> list[Sentence]:
    value = getattr(result.metrics, settings.figure)
    baseline, raw = result.best_raw_map(settings.figure)
    if value > raw + settings.beat_raw_by:
        return []
    params = {"metric": settings.figure, "value": value, "baseline": Sentence(baseline), "raw": raw}
    if value > raw:
        return [sentence("raw_map_margin", **params, margin=settings.beat_raw_by)]
    return [sentence("not_better_than_raw_map", **params)]


def _against_champion(comparison: Comparison | None, settings: GateConfig) -> list[Sentence]:
    if comparison is None:
        return []
    verdict = comparison_sentence(comparison, settings)
    if comparison.result is None:
        return [verdict]
    lost = [] if settings.may_lose_modes or not comparison.lost else [_lost_modes(comparison)]
    better = is_better(comparison.result.figures[settings.figure], settings)
    return [*([] if better else [verdict]), *_worse_modes(comparison, comparison.result, settings.mode_margin), *lost]


def is_better(entry: MetricDifference, settings: GateConfig) -> bool:
    """Whether the lower end of the deciding metric's difference exceeds the least gain."""
    return entry.interval[0] > settings.least_gain


def comparison_sentence(comparison: Comparison, settings: GateConfig) -> Sentence:
    """The verdict of the comparison by the deciding metric."""
    champion, result = comparison.version, comparison.result
    if result is None:
        return sentence("not_comparable", champion=champion, why=comparison.impossible)
    on = sentence("same_records", records=comparison.records, frozen=comparison.frozen)
    if result.same_model:
        return sentence("same_model", champion=champion, on=on)
    metric, entry = settings.figure, result.figures[settings.figure]
    low, high = entry.interval
    if not any([entry.difference, low, high]):
        return sentence("tie", champion=champion, metric=metric, on=on)
    ends = {"low": low, "high": high, "confidence": 100 * result.confidence}
    difference = sentence("difference", metric=metric, difference=entry.difference, **ends, on=on)
    if is_better(entry, settings):
        return sentence("better", champion=champion, difference=difference)
    code = "worse" if high < 0 else "not_better"
    return sentence(code, champion=champion, difference=difference, least_gain=settings.least_gain)


def format_difference(entry: Difference) -> str:
    """A difference and its interval, such as +0.0010 [-0.0040, +0.0060]."""
    low, high = entry.interval
    return f"{entry.difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]"


def is_significant_drop(entry: ModeDifference, margin: float) -> bool:
    """Whether a mode's accuracy fell by more than the margin, and more than chance can explain.

    A fall whose interval reaches zero is no veto: of modes with few records, half fall by chance.
    """
    return entry.interval is not None and entry.difference < -margin and entry.interval[1] < 0


def _worse_modes(comparison: Comparison, result: PairedResult, margin: float) -> list[Sentence]:
    drops = [
        ("worse_mode", {"mode": printable(mode)}, entry)
        for mode, entry in result.modes.items()
        if is_significant_drop(entry, margin)
    ]
    if result.few and is_significant_drop(result.few, margin):
        names = {"modes": _names(result.few.modes), "fewest": result.fewest, "units": Sentence(f"{result.unit_kind}s")}
        drops.append(("worse_modes", names, result.few))
    return [
        sentence(
            code,
            **names,
            champion=comparison.version,
            then=entry.champion,
            now=entry.challenger,
            records=entry.n,
            difference=entry.difference,
            low=entry.interval[0],
            high=entry.interval[1],
            margin=margin,
        )
        for code, names, entry in drops
    ]


def _lost_modes(comparison: Comparison) -> Sentence:
    return sentence("lost_modes", modes=_names(comparison.lost), champion=comparison.version)


def _names(modes: tuple[str, ...]) -> str:
    more = ["…"] * (len(modes) > MAX_NAMED_MODES)
    return ", ".join([printable(mode) for mode in modes[:MAX_NAMED_MODES]] + more)


def printable(mode: str, most: int = 60) -> str:
    """A mode's name on one line: a dataset may call it anything."""
    plain = "".join(letter if letter.isprintable() else " " for letter in mode)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def comparison_summary(comparison: Comparison | None, settings: GateConfig) -> ComparisonSummary | None:
    """What manifest, command and UI show of the comparison; None without a champion."""
    if comparison is None:
        return None
    summary = ComparisonSummary(
        **{name: getattr(comparison, name) for name in ("version", "frozen", "champion_frozen", "records", "seen")},
        verdict=comparison_sentence(comparison, settings),
    )
    result = comparison.result
    if result is None:
        return summary
    entry = result.figures[settings.figure]
    worst = min(result.modes, key=lambda mode: result.modes[mode].difference)
    return replace(
        summary,
        figure=settings.figure,
        difference=entry.difference,
        interval=entry.interval,
        confidence=result.confidence,
        unit=result.unit,
        worst_mode=WorstMode(**vars(result.modes[worst]), mode=worst),
    )
