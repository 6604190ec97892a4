"""The champion as a judge: its own tower, distance and prototypes, from its release folder alone."""

from __future__ import annotations

import json

import keras
import numpy as np

from tasks.bank import Bank
from tasks.distance import distance
from tasks.judge import Judge, embedder, point_judge
from tasks.releases import Release

LEAST_COMPARED = 20  # test records below which two models cannot be told apart


def champion_judge(release: Release) -> Judge:
    """The judge that a release is."""
    tower = keras.saving.load_model(release.path / "model.keras", compile=False)
    settings = json.loads((release.path / "threshold.json").read_text())
    with np.load(release.path / "anchors.npz", allow_pickle=False) as file:
        modes = [str(mode) for mode in file["modes"]]
        prototypes, good = (
            {name.removeprefix(kind): file[name] for name in file.files if name.startswith(kind)}
            for kind in ("prototype_", "good_")
        )
    return point_judge(
        release.version, embedder(tower), distance(**settings["distance"]), modes, prototypes, good or None
    )


def comparable(release: Release, bank: Bank) -> tuple[np.ndarray, list[str], str | None]:
    """The test records that the champion never saw, the modes that both know, or why there are too few.

    A record that the champion was trained, stopped or calibrated on would flatter it.
    """
    with np.load(release.path / "split.npz", allow_pickle=False) as split:
        seen = split["hash"][split["part"] != 3]
    with np.load(release.path / "anchors.npz", allow_pickle=False) as anchors:
        known = {str(mode) for mode in anchors["modes"]}
    shared = [mode for mode in bank.modes if mode in known]
    rows = bank.rows("test")
    fresh = ~np.isin(bank.hash[rows], seen)
    both = np.isin(np.array(bank.modes)[bank.mode[rows]], shared)
    rows = rows[fresh & both]
    found = np.unique(bank.mode[rows])
    if len(found) < 2 or len(rows) < LEAST_COMPARED:
        return (
            rows,
            shared,
            f"{len(rows)} test records in {len(found)} modes are new to it and known by it; "
            f"{LEAST_COMPARED} in 2 are needed",
        )
    return rows, [bank.modes[code] for code in found], None
