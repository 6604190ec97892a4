"""The model against the raw map: a model that is not shown to beat it has learnt nothing."""

from __future__ import annotations

from tasks.config.run import GateConfig
from tasks.core.sentences import Sentence, metric_title, sentence
from tasks.evaluation.evaluation_report import HoldoutResult


def raw_map_reasons(result: HoldoutResult, settings: GateConfig) -> list[Sentence]:
    """Why the model is not better than the best raw map: its value is too low, or its lead may be chance."""
    if not result.baselines:  # of good parts alone: there are no pairs, and the model is the raw map
        return []
    value = getattr(result.metrics, settings.figure)
    baseline, raw = result.best_raw_map(settings.figure)
    params = {"metric": metric_title(settings.figure), "value": value, "baseline": Sentence(baseline), "raw": raw}
    gain, margin = result.raw_map, settings.beat_raw_by
    if not value > raw:  # also where it is no number
        return [sentence("not_better_than_raw_map", **params)]
    if not value > raw + margin:
        return [sentence("raw_map_margin", **params, margin=margin)]
    if gain is None or gain.interval[0] > margin:
        return []
    low, high = gain.interval
    interval = {"difference": gain.difference, "low": low, "high": high, "confidence": 100 * gain.confidence}
    return [sentence("raw_map_not_shown", **params, **interval, margin=margin)]
