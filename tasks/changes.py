"""What a dataset revision brings against the one that the champion was made from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.core.results import Stage
from tasks.data.bank import load_bank
from tasks.data.map_statistics import MAP_SUMMARIES, map_summaries
from tasks.registry.release_files import ReleaseFiles
from tasks.registry.releases import Release

SIGNIFICANT = 0.01  # of the whole family of tests, by Bonferroni's bound


LEAST = 8  # records on each side, below which a mode's drift is not tested


def changes(triplets: Stage, champion: Release | None) -> dict[str, Any] | None:
    """Records added, removed and relabelled by hash, counts by mode, and a drift test of the maps.

    None without a champion. A record is relabelled when its mode changed, or good became defect. The
    drift of each mode is a two-sample Kolmogorov–Smirnov test of each summary, at 1 % over all tests.
    """
    if champion is None:
        return None
    bank = load_bank(triplets.path)
    split = ReleaseFiles(champion.path).split()
    old = {name: getattr(split, name) for name in ("hash", "mode", "good", "summary")}
    new = {
        "hash": bank.hash,
        "mode": np.array(bank.modes)[bank.mode],
        "good": bank.good,
        "summary": map_summaries(bank.maps),
    }
    _, here, there = np.intersect1d(new["hash"], old["hash"], assume_unique=True, return_indices=True)
    moved = (new["mode"][here] != old["mode"][there]) | (new["good"][here] != old["good"][there])
    return {
        "against": champion.version,
        "revision": champion.manifest["train"]["revision"],
        "added": len(new["hash"]) - len(here),
        "removed": len(old["hash"]) - len(there),
        "relabelled": int(moved.sum()),
        "modes": _by_mode(old, new),
        "drift": _drift(old, new),
    }


def _by_mode(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> dict[str, list[int]]:
    """Mode → records then and now."""
    names = sorted(set(old["mode"].tolist()) | set(new["mode"].tolist()))
    return {name: [int((side["mode"] == name).sum()) for side in (old, new)] for name in names}


def _drift(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The tests that fail at 1 % over all of them, the clearest first."""
    from scipy.stats import ks_2samp  # half a second, for which a run with nothing new need not wait

    rows = []
    for mode in np.intersect1d(old["mode"], new["mode"]):
        then, now = (side["summary"][side["mode"] == mode] for side in (old, new))
        if min(len(then), len(now)) < LEAST:
            continue
        for column, name in enumerate(MAP_SUMMARIES):
            tested = ks_2samp(then[:, column], now[:, column])
            medians = [float(np.median(side[:, column])) for side in (then, now)]
            rows.append(
                {"mode": str(mode), "of": name, "p": float(tested.pvalue), "then": medians[0], "now": medians[1]}
            )
    return sorted((row for row in rows if row["p"] < SIGNIFICANT / len(rows)), key=lambda row: row["p"])
