"""The gate: the reasons for which a draft does not become a release."""

from __future__ import annotations

from dataclasses import replace

from tasks.config.run import GateConfig
from tasks.core.sentences import Sentence, metric_title, sentence
from tasks.evaluation.comparison_report import (
    Comparison,
    ComparisonSummary,
    Difference,
    GateCheck,
    Interval,
    ModeDifference,
    PairedResult,
    RateDifference,
    WorstMode,
)
from tasks.evaluation.evaluation_report import HoldoutResult
from tasks.evaluation.least_sizes import MIN_TEST_RECORDS
from tasks.promotion.raw_map import raw_map_reasons
from tasks.promotion.verdict import comparison_sentence, deciding_metric, is_better, rates_sentence

MAX_NAMED_MODES = 8


def reasons_to_reject(result: HoldoutResult, settings: GateConfig) -> tuple[Sentence, ...]:
    """Why the model may not be released; no reason lets it pass."""
    return (
        *(sentence("leak", leak=leak) for leak in result.certificate.leaks),
        *_too_few_records(result),
        *raw_map_reasons(result, settings),
        *(
            sentence("no_threshold", name=Sentence(threshold.name), why=threshold.refused)
            for threshold in result.thresholds
            if threshold.refused
        ),
        *_against_champion(result.comparison, settings),
    )


def _too_few_records(result: HoldoutResult) -> list[Sentence]:
    count, needed = result.metrics.records, MIN_TEST_RECORDS
    return [sentence("few_test_records", count=count, needed=needed)] if count < needed else []


def _against_champion(comparison: Comparison | None, settings: GateConfig) -> list[Sentence]:
    if comparison is None:
        return []
    verdict, result = comparison_sentence(comparison, settings), comparison.result
    if result is None:
        return [verdict]
    lost = [] if settings.may_lose_modes or not comparison.lost else [_lost_modes(comparison)]
    checks = gate_checks(result, settings)
    failed = [check for check in _no_worse(checks, result) if not check.passed and check.mode is None]
    losses = [] if result.same_model else [_loss(check, comparison) for check in failed]
    better = is_better(result, settings) if result.figures else bool(checks) and not result.same_model
    return [
        *([] if better else [verdict]),
        *losses,
        *_worse_modes(comparison, result, settings.mode_margin),
        *lost,
    ]


def gate_checks(result: PairedResult, settings: GateConfig) -> tuple[GateCheck, ...]:
    """What is demanded of the challenger against the champion: first to be better, then to be no worse elsewhere.

    Where good parts were compared, escapes, false alarms, verification AUROC and mode accuracy must be shown to be no
    worse than the margins allow. A mode fails where its loss is proven.
    """
    if not result.figures:  # two models from good parts alone: neither can be shown to be better
        return tuple(_error_checks(result, settings))
    decides = deciding_metric(result, settings)
    margins = {"auroc": settings.auroc_margin, "mode_accuracy": settings.accuracy_margin}
    others = [name for name in margins if name != decides and {name, "good_auroc"} <= result.figures.keys()]
    modes = result.modes | ({_names(result.few.modes): result.few} if result.few else {})
    return (
        _metric_check(result, decides, -settings.least_gain, result.deciding_interval(decides)),
        *_error_checks(result, settings),
        *(_metric_check(result, name, margins[name], result.figures[name].interval) for name in others),
        *(_mode_check(mode, entry, settings.mode_margin, result.confidence) for mode, entry in modes.items()),
    )


def _no_worse(checks: tuple[GateCheck, ...], result: PairedResult) -> tuple[GateCheck, ...]:
    """The checks but for the one that the challenger must be better."""
    return checks[1:] if result.figures else checks


def _metric_check(result: PairedResult, metric: str, margin: float, interval: Interval) -> GateCheck:
    return GateCheck(
        metric=metric,
        challenger=getattr(result.challenger, metric),
        champion=getattr(result.champion, metric),
        difference=result.figures[metric].difference,
        interval=interval,
        margin=margin,
        passed=interval[0] > -margin,
    )


def _error_checks(result: PairedResult, settings: GateConfig) -> list[GateCheck]:
    """Defect TPR and good FPR at each model's own threshold; none where these were not compared."""
    errors = (
        ("good_tpr", result.escapes, settings.escape_margin),
        ("good_fpr", result.false_alarms, settings.false_alarm_margin),
    )
    return [_error_check(metric, entry, margin) for metric, entry, margin in errors if entry is not None]


def _error_check(metric: str, entry: RateDifference, margin: float) -> GateCheck:
    """The check of an error's rate, or of the defect TPR, which is one less the rate of escapes."""
    challenger, champion = entry.challenger / entry.n, entry.champion / entry.n
    low, high = entry.interval
    tpr = metric == "good_tpr"
    return GateCheck(
        metric=metric,
        greater_is_better=tpr,
        challenger=1 - challenger if tpr else challenger,
        champion=1 - champion if tpr else champion,
        difference=-entry.difference if tpr else entry.difference,
        interval=(-high, -low) if tpr else (low, high),
        margin=margin,
        passed=high < margin,
    )


def _mode_check(mode: str, entry: ModeDifference, margin: float, confidence: float) -> GateCheck:
    values = {name: getattr(entry, name) for name in ("challenger", "champion", "difference", "interval", "p")}
    passed = not is_significant_drop(entry, margin, confidence)
    return GateCheck(metric="mode_accuracy", mode=mode, **values, margin=margin, passed=passed)


def _loss(check: GateCheck, comparison: Comparison) -> Sentence:
    """Why a check failed that demands no loss beyond a margin: the loss is shown, or it cannot be excluded."""
    result, champion = comparison.result, comparison.version
    errors = {"good_tpr": ("escapes", result.escapes), "good_fpr": ("false alarms", result.false_alarms)}
    if check.metric in errors:
        name, entry = errors[check.metric]
        code = "errors_rose" if entry.interval[0] > 0 else "errors_not_shown"
        return sentence(code, champion=champion, margin=100 * check.margin, **entry.sentence_params(name))
    low, high = check.interval
    return sentence(
        "metric_fell" if high < 0 else "metric_not_shown",
        metric=metric_title(check.metric),
        champion=champion,
        then=check.champion,
        now=check.challenger,
        difference=check.difference,
        low=low,
        high=high,
        margin=check.margin,
    )


def format_difference(entry: Difference) -> str:
    """A difference and its interval, such as +0.0010 [-0.0040, +0.0060]."""
    low, high = entry.interval
    return f"{entry.difference:+z.4f} [{low:+z.4f}, {high:+z.4f}]"


def is_significant_drop(entry: ModeDifference, margin: float, confidence: float) -> bool:
    """Whether a mode's accuracy fell by more than the margin, and more than chance can explain.

    Chance is judged by the p-value, which is corrected for the number of modes. Comparisons that were stored without
    it have the interval.
    """
    if entry.interval is None or not entry.difference < -margin:
        return False
    return entry.interval[1] < 0 if entry.p is None else entry.p <= 1 - confidence + 1e-12


def _worse_modes(comparison: Comparison, result: PairedResult, margin: float) -> list[Sentence]:
    drops = [
        ("worse_mode", {"mode": printable(mode)}, entry)
        for mode, entry in result.modes.items()
        if is_significant_drop(entry, margin, result.confidence)
    ]
    if result.few and is_significant_drop(result.few, margin, result.confidence):
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
    if result.figures:
        metric = deciding_metric(result, settings)
        difference, interval = result.figures[metric].difference, result.deciding_interval(metric)
        summary = replace(summary, figure=metric, difference=difference, interval=interval)
    worst = min(result.modes, key=lambda mode: result.modes[mode].difference, default=None)
    return replace(
        summary,
        confidence=result.deciding_confidence,
        unit=result.unit,
        worst_mode=worst and WorstMode(**vars(result.modes[worst]), mode=worst),
        rates=rates_sentence(result, comparison.version),
        escapes=result.escapes,
        false_alarms=result.false_alarms,
        checks=tuple(check for check in gate_checks(result, settings) if check.mode is None or not check.passed),
    )
