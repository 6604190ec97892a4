"""The gate of an export: the written file, run by its own runtime, must say what the release says.

Both judge the same frozen maps: the training records that the release keeps, mixtures of two of them
(which lie between the modes, where a verdict is most easily lost), noise, and edge cases. Distances may
differ by the last digits of the tower's float32; modes and verdicts must not, but where the release's
own answer is nearer to the border than that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.core.errors import ParityLost
from tasks.model.fused_score import peak
from tasks.registry.loading import LoadedRelease
from tasks.scoring.export_graph import UNREADABLE_CODE
from tasks.scoring.verdicts import VERDICTS, predict

TOLERANCE = 1e-4  # of a distance: as a share of it, or absolute below 1
LAST_DIGITS = 1e-9  # of a sum of ranks in float64
SEED = 42
MIXTURES = 500  # mixtures, and maps of noise

Run = Callable[
    [np.ndarray], dict[str, np.ndarray]
]  # maps (n, values) float32 to the outputs of tasks/scoring/export_graph.py


def gate_maps(opened: LoadedRelease) -> dict[str, np.ndarray]:
    """The sets of maps (n, values) float32 by name; a release from before there was a gallery has its anchors."""
    rng = np.random.default_rng(SEED)
    kept = np.asarray(opened.anchors if opened.gallery is None else opened.gallery.maps, np.float32)
    first, second = kept[rng.integers(len(kept), size=(2, MIXTURES))]
    share = rng.uniform(size=(MIXTURES, 1)).astype(np.float32)
    spread = float(kept.std()) or 1.0
    noise = rng.normal(kept.mean(), spread, (MIXTURES, kept.shape[1])).astype(np.float32)
    few = kept[:16]
    edges = [0 * few[:1], -few, few * 1000, few / 1000, np.full_like(few[:1], spread), np.full_like(few[:1], -spread)]
    return {
        "anchors" if opened.gallery is None else "gallery": kept,
        "mixtures": share * first + (1 - share) * second,
        "noise": noise,
        "edges": np.concatenate(edges),
    }


def gate(opened: LoadedRelease, run: Run) -> dict[str, Any]:
    """The sets, the tolerance and the largest differences, as `parity.json` has them; raises ParityLost."""
    facts = {name: _compare(opened, maps, run, name) for name, maps in gate_maps(opened).items()}
    _require_unreadable(opened, run)
    return {
        "tolerance": TOLERANCE,
        "seed": SEED,
        "records": sum(found["records"] for found in facts.values()),
        "largest_difference": max(found["distance"] for found in facts.values()),
        "sets": facts,
    }


def _compare(opened: LoadedRelease, maps: np.ndarray, run: Run, name: str) -> dict[str, Any]:
    """The largest differences on one set, in units of what TOLERANCE allows for; raises ParityLost."""
    told, judge = run(maps), opened.judge
    expected = predict(opened, maps)
    distances = judge.distance.to_prototypes(expected.embedded, judge.prototypes)
    off = _relative(told["distances"], distances)
    _require(off <= TOLERANCE, f"distances of {name}", float(off.max()))
    low, high = _score_bounds(opened, expected.embedded, maps)
    within = (told["score"] >= low) & (told["score"] <= high) | np.isnan(expected.score) & np.isnan(told["score"])
    _require(within, f"scores of {name}", float(np.nanmax(np.abs(told["score"] - expected.score), initial=0)))
    near = np.sort(distances, axis=1)[:, :2]
    tied = _relative(near[:, 0], near[:, -1]) <= 2 * TOLERANCE if near.shape[1] > 1 else np.zeros(len(maps), bool)
    _require((told["mode"] == expected.mode) | tied, f"modes of {name}")
    border = (low <= opened.defect_threshold) & (opened.defect_threshold <= high) | (
        _relative(expected.distance, opened.mode_radius) <= TOLERANCE
    )
    same = np.array(VERDICTS)[np.clip(told["verdict"], 0, len(VERDICTS) - 1)] == expected.verdict
    _require(same | border, f"verdicts of {name}")
    _require_shape(told, expected, tied, name)
    _require_alone(run, maps, told, name)
    return {
        "records": len(maps),
        "distance": float(off.max()),
        "score": float(np.abs(told["score"] - expected.score).max()) if judge.good is not None else None,
        "other_modes": int((told["mode"] != expected.mode).sum()),
        "other_verdicts": int((~same).sum()),
        "at_the_border": int((border | tied).sum()),
    }


def _score_bounds(opened: LoadedRelease, embedded: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and largest score (n,) that a distance within the tolerance gives: ranks rise with the distance."""
    judge = opened.judge
    if judge.good is None:
        return np.full(len(maps), np.nan), np.full(len(maps), np.nan)
    distance = judge.distance.to_prototypes(embedded, judge.good)[:, 0]
    slack = TOLERANCE * np.maximum(np.abs(distance), 1)
    ends = (distance - slack, distance + slack)
    low, high = (judge.fusion(end, peak(maps)) for end in ends) if judge.fused else ends
    return low - LAST_DIGITS * np.maximum(np.abs(low), 1), high + LAST_DIGITS * np.maximum(np.abs(high), 1)


def _require_shape(told: dict[str, np.ndarray], expected: Any, tied: np.ndarray, name: str) -> None:
    """RT's level and shape come from the map alone, so that only another mode's anchor can change them."""
    for key in ("beta", "sqrt_ve"):
        found = getattr(expected, key)
        same = (_relative(told[key], found) <= TOLERANCE) | tied
        _require(same | (np.isnan(found) & np.isnan(told[key])), f"{key} of {name}")


def _require_alone(run: Run, maps: np.ndarray, told: dict[str, np.ndarray], name: str) -> None:
    """One map by itself has the answer that it has among others."""
    alone = run(maps[:1])
    _require(_relative(alone["distances"], told["distances"][:1]) <= TOLERANCE, f"a single map of {name}")


def _require_unreadable(opened: LoadedRelease, run: Run) -> None:
    """A map with a value that is no number must not get a verdict."""
    broken = np.repeat(np.asarray(opened.anchors[:1], np.float32), 2, axis=0)
    broken[:, 0] = np.nan, np.inf
    _require(run(broken)["verdict"] == UNREADABLE_CODE, "verdicts of maps that are no numbers")


def _relative(found: np.ndarray, expected: Any) -> np.ndarray:
    """The difference as a share of what is expected, or absolute below 1."""
    return np.abs(found - expected) / np.maximum(np.abs(expected), 1)


def _require(same: np.ndarray, what: str, largest: float | None = None) -> None:
    if not np.all(same):
        told = "" if largest is None else f", by {largest:.2g} at most"
        count = int(np.size(same) - np.count_nonzero(same))
        raise ParityLost(
            f"export: expected the {what} as the release has them within {TOLERANCE:g}, found {count} "
            f"that differ{told}; nothing was exported"
        )
