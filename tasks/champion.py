"""The champion as a judge: its own tower, distance and prototypes, from its release folder alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from tasks.bank import Bank
from tasks.distance import distance
from tasks.fused import Fusion
from tasks.judge import Judge, embedder, point_judge
from tasks.releases import Release
from tasks.split import PARTS

LEAST_COMPARED = 20  # test records below which two models cannot be told apart


def champion_judge(release: Release) -> Judge:
    """The judge that a release is."""
    tower = keras.saving.load_model(release.path / "model.keras", compile=False)
    settings = json.loads((release.path / "threshold.json").read_text())
    with _arrays(release, "anchors.npz") as file:
        modes = [str(mode) for mode in file["modes"]]
        prototypes, good = (
            {name.removeprefix(kind): file[name] for name in file.files if name.startswith(kind)}
            for kind in ("prototype_", "good_")
        )
        fusion = Fusion(file["reference_distance"], file["reference_peak"]) if "reference_peak" in file.files else None
    measure = distance(**settings["distance"])
    judge = point_judge(release.version, embedder(tower), measure, modes, prototypes, good or None)
    return replace(judge, fusion=fusion, fused=settings.get("score") == "fused")


@contextmanager
def _arrays(release: Release, name: str) -> Iterator[Any]:
    """A file of arrays, closed even where it turns out to be none."""
    with (release.path / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        yield arrays


@dataclass(frozen=True)
class Comparable:
    """The test records on which a champion can be judged fairly, and what stays out.

    rows: (n,) rows of the bank; modes: those with such records, in the bank's order. Left out and
    counted: `seen` records that the champion was trained, stopped or calibrated on, and records of
    modes that it does not know, `unknown`. `lost` are the champion's modes that the bank does not
    know, `unjudged` those that both know and no record is left of. `impossible` says why there is too little.
    """

    rows: np.ndarray
    modes: list[str]
    seen: int
    unknown: int
    lost: list[str]
    unjudged: list[str]
    impossible: str | None


def comparable(release: Release, bank: Bank) -> Comparable:
    """What is left of the test part: a record that the champion has seen would flatter it."""
    with _arrays(release, "split.npz") as split:
        seen = np.isin(bank.hash[bank.rows("test")], split["hash"][split["part"] != PARTS.index("test")])
    with _arrays(release, "anchors.npz") as anchors:
        known = [str(mode) for mode in anchors["modes"]]
    rows = bank.rows("test")
    both = np.isin(np.array(bank.modes)[bank.mode[rows]], known)
    left = rows[~seen & both]
    found = [bank.modes[code] for code in np.unique(bank.mode[left])]
    return Comparable(
        rows=left,
        modes=found,
        seen=int(seen.sum()),
        unknown=int((~seen & ~both).sum()),
        lost=[mode for mode in known if mode not in bank.modes],
        unjudged=[mode for mode in bank.modes if mode in known and mode not in found],
        impossible=_too_little(len(left), len(found)),
    )


def _too_little(records: int, modes: int) -> str | None:
    if modes >= 2 and records >= LEAST_COMPARED:
        return None
    return f"{records} test records in {modes} modes are new to it and known by it; {LEAST_COMPARED} in 2 are needed"
