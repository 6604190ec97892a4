"""The gate: what a draft must show before it becomes a release. Reasons, not a score."""

from __future__ import annotations

from typing import Any

from tasks.config.run import GateConfig


def reasons_to_reject(judgement: dict[str, Any], settings: GateConfig) -> list[str]:
    """Why the judged model may not be released; an empty list lets it pass.

    judgement: `certificate`, `figures`, `baselines` (name → figures), `thresholds`, and `comparison` (None without a
    champion, else as tasks/evaluation/comparison.py tells it).
    """
    figure = settings.figure
    return [
        *(f"leakage: {leak}" for leak in judgement["certificate"]["leaks"]),
        *_against_raw(judgement, figure, settings.beat_raw_by),
        *_without_threshold(judgement),
        *_against_champion(judgement["comparison"], settings),
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


def _against_champion(comparison: dict[str, Any] | None, settings: GateConfig) -> list[str]:
    if comparison is None:
        return []
    if comparison["impossible"]:
        return [comparison_sentence(comparison, settings)]
    return [
        *([] if _better(comparison, settings) else [comparison_sentence(comparison, settings)]),
        *_worse_modes(comparison, settings.mode_margin),
        *([] if settings.may_lose_modes else _lost_modes(comparison)),
    ]


def _better(comparison: dict[str, Any], settings: GateConfig) -> bool:
    return comparison["figures"][settings.figure]["interval"][0] > settings.least_gain


def comparison_sentence(comparison: dict[str, Any], settings: GateConfig) -> str:
    """What came of the comparison by the figure that decides, in one sentence."""
    champion = f"the champion {comparison['version']}"
    if comparison["impossible"]:
        return f"cannot be compared with {champion}: {comparison['impossible']}"
    on = f"the same {comparison['records']} test records of {comparison['frozen']}"
    if comparison["same_model"]:
        return f"a tie: the same model as {champion}, with the same distances on {on}; the champion stays"
    found = comparison["figures"][settings.figure]
    if not any([found["difference"], *found["interval"]]):
        return f"a tie with {champion}: the same {settings.figure} on {on}; the champion stays"
    confidence = f"{100 * comparison['confidence']:g} % confidence"
    told = f"{settings.figure} difference {format_difference(found)} at {confidence}, on {on}"
    if _better(comparison, settings):
        return f"better than {champion}: {told}"
    shown = "worse than" if found["interval"][1] < 0 else "not shown to be better than"
    return f"{shown} {champion}: {told}; the lower end must exceed {settings.least_gain:g}"


def format_difference(found: dict[str, Any]) -> str:
    """A difference and its interval, such as +0.0010 [-0.0040, +0.0060]."""
    low, high = found["interval"]
    return f"{found['difference']:+z.4f} [{low:+z.4f}, {high:+z.4f}]"


def is_significant_drop(entry: dict[str, Any], margin: float) -> bool:
    """Whether a mode's accuracy fell by more than the margin, and more than chance can explain.

    A fall whose interval reaches zero is no veto: of modes with few records, half fall by chance.
    """
    return bool(entry["interval"]) and entry["difference"] < -margin and entry["interval"][1] < 0


def _worse_modes(comparison: dict[str, Any], margin: float) -> list[str]:
    named = {f"mode {printable(mode)} is": entry for mode, entry in comparison["modes"].items()}
    few = comparison["few"]
    if few:
        unit = comparison["unit"].split()[0]
        named |= {f"the modes of fewer than {comparison['fewest']} {unit}s ({_names(few['modes'])}) are": few}
    return [
        f"{who} worse than the champion {comparison['version']}'s: accuracy {entry['champion']:.3f} → "
        f"{entry['challenger']:.3f} on {entry['n']} test records, difference {format_difference(entry)}; "
        f"{margin:g} is allowed"
        for who, entry in named.items()
        if is_significant_drop(entry, margin)
    ]


def _lost_modes(comparison: dict[str, Any]) -> list[str]:
    if not comparison["lost"]:
        return []
    return [
        f"no longer knows {_names(comparison['lost'])}, which the champion {comparison['version']} does; "
        "gate.may_lose_modes=true allows it"
    ]


def _names(modes: list[str], most: int = 8) -> str:
    return ", ".join([printable(mode) for mode in modes[:most]] + ["…"] * (len(modes) > most))


def printable(mode: str, most: int = 60) -> str:
    """A mode's name as a line can hold it: a dataset may call it anything."""
    plain = "".join(letter if letter.isprintable() else " " for letter in mode)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def comparison_summary(comparison: dict[str, Any] | None, settings: GateConfig) -> dict[str, Any] | None:
    """What manifest, command and UI tell of the comparison; None without a champion."""
    if comparison is None:
        return None
    names = ("version", "frozen", "champion_frozen", "records", "seen")
    told = {name: comparison.get(name) for name in names} | {"verdict": comparison_sentence(comparison, settings)}
    if comparison["impossible"]:
        return told
    found = comparison["figures"][settings.figure]
    worst = min(comparison["modes"], key=lambda mode: comparison["modes"][mode]["difference"])
    return told | {
        "figure": settings.figure,
        "difference": found["difference"],
        "interval": found["interval"],
        "confidence": comparison["confidence"],
        "unit": comparison["unit"],
        "worst_mode": {"mode": worst, **comparison["modes"][worst]},
    }
