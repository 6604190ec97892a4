"""The gate: what a draft must show before it becomes a release. Reasons, not a score."""

from __future__ import annotations

from typing import Any

from tasks.config import Gate


def reasons_to_reject(judgement: dict[str, Any], settings: Gate) -> list[str]:
    """Why the judged model may not be released; an empty list lets it pass.

    judgement: `figures`, `baselines` (name → figures), `thresholds`, and `comparison` (None without a
    champion, else `challenger` and `champion` figures on the same records, or `impossible`).
    """
    figure = settings.figure
    return [
        *_against_raw(judgement, figure, settings.beat_raw_by),
        *_without_threshold(judgement),
        *_against_champion(judgement, figure),
    ]


def _against_raw(judgement: dict[str, Any], figure: str, by: float) -> list[str]:
    raw = {name: found[figure] for name, found in judgement["baselines"].items() if name.startswith("raw map")}
    best = max(raw, key=raw.__getitem__)
    own = judgement["figures"][figure]
    if own > raw[best] + by:
        return []
    if own > raw[best]:
        return [f"{figure} {own:.4f} does not beat the {best} ({raw[best]:.4f}) by the {by:g} asked"]
    return [
        f"{figure} {own:.4f} does not beat the {best} ({raw[best]:.4f}): "
        "the model has learnt nothing that the map does not say"
    ]


def _without_threshold(judgement: dict[str, Any]) -> list[str]:
    return [
        f"no {threshold['name']} threshold: {threshold['refused']}"
        for threshold in judgement["thresholds"]
        if threshold["refused"]
    ]


def _against_champion(judgement: dict[str, Any], figure: str) -> list[str]:
    comparison = judgement["comparison"]
    if comparison is None:
        return []
    if comparison["impossible"]:
        return [f"cannot be compared with the champion {comparison['version']}: {comparison['impossible']}"]
    own, other = comparison["challenger"][figure], comparison["champion"][figure]
    if own >= other:
        return []
    return [
        f"{figure} {own:.4f} is worse than the champion {comparison['version']}'s {other:.4f} "
        f"on the same {comparison['records']} test records"
    ]
