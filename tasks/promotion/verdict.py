"""The verdict on challenger and champion in one sentence: by the metric that decides, or by false alarms alone."""

from __future__ import annotations

from tasks.config.run import GateConfig
from tasks.core.sentences import Sentence, metric_title, sentence
from tasks.evaluation.comparison_report import Comparison, PairedResult


def rates_sentence(result: PairedResult, champion: str) -> Sentence:
    """Escapes and false alarms of both models with their differences, or why they were not compared."""
    if not result.figures and result.false_alarms is not None:
        alarms = sentence("error_rate", **result.false_alarms.sentence_params("false alarms"))
        return sentence("alarm_rates", champion=champion, false_alarms=alarms)
    if result.escapes is None or result.false_alarms is None:
        why = "no_threshold_to_compare" if "good_auroc" in result.figures else "no_good_to_compare"
        return sentence("rates_not_compared", why=sentence(why))
    rates = {"escapes": result.escapes, "false alarms": result.false_alarms}
    escapes, alarms = (sentence("error_rate", **entry.sentence_params(name)) for name, entry in rates.items())
    return sentence("error_rates", champion=champion, escapes=escapes, false_alarms=alarms)


def deciding_metric(result: PairedResult, settings: GateConfig) -> str:
    """The metric in which the challenger must be better.

    `gate.better`; else `gate.figure` if it is not the default; else good/defect AUROC. Without good parts to compare,
    `gate.figure`; without modes, good/defect AUROC.
    """
    usual = "good_auroc" if settings.figure == GateConfig.figure else settings.figure
    metric = settings.better or usual
    return next(name for name in (metric, settings.figure, *result.figures) if name in result.figures)


def is_better(result: PairedResult, settings: GateConfig) -> bool:
    """Whether the lower end of the deciding metric's difference exceeds the least gain."""
    return result.deciding_interval(deciding_metric(result, settings))[0] > settings.least_gain


def comparison_sentence(comparison: Comparison, settings: GateConfig) -> Sentence:
    """The verdict of the comparison by the deciding metric."""
    champion, result = comparison.version, comparison.result
    if result is None:
        return sentence("not_comparable", champion=champion, why=comparison.impossible)
    on = sentence("same_records", records=comparison.records, frozen=comparison.frozen)
    if result.same_model:
        return sentence("same_model", champion=champion, on=on)
    if comparison.basis == "good":
        return _alarms_sentence(comparison, settings, on)
    verdict = _better_sentence(comparison, settings, on)
    if comparison.basis == "modes":
        return verdict
    return sentence("both", first=verdict, second=sentence("modes_not_compared", champion=champion))


def _alarms_sentence(comparison: Comparison, settings: GateConfig, on: Sentence) -> Sentence:
    """The verdict on two models from good parts alone."""
    champion, result = comparison.version, comparison.result
    if result.false_alarms is None:
        return sentence("not_comparable", champion=champion, why=sentence("no_threshold_to_compare"))
    high = result.false_alarms.interval[1]
    code = "alarms_no_worse" if high < settings.false_alarm_margin else "alarms_not_shown"
    alarms = sentence("error_rate", **result.false_alarms.sentence_params("false alarms"))
    return sentence(code, champion=champion, alarms=alarms, margin=100 * settings.false_alarm_margin, on=on)


def _better_sentence(comparison: Comparison, settings: GateConfig, on: Sentence) -> Sentence:
    champion, result = comparison.version, comparison.result
    metric = deciding_metric(result, settings)
    value, (low, high) = result.figures[metric].difference, result.deciding_interval(metric)
    if not any([value, low, high]):
        return sentence("tie", champion=champion, metric=metric_title(metric), on=on)
    if result.spent_confidence is not None:
        on = sentence("counted", on=on, number=result.number)
    ends = {"low": low, "high": high, "confidence": 100 * result.deciding_confidence}
    difference = sentence("difference", metric=metric_title(metric), difference=value, **ends, on=on)
    if is_better(result, settings):
        return sentence("better", champion=champion, difference=difference)
    code = "worse" if high < 0 else "not_better"
    return sentence(code, champion=champion, difference=difference, least_gain=settings.least_gain)
