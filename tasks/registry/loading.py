"""A release opened to judge new parts: from its own folder alone, and refused where its parts do not fit together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.config.run import DataConfig, RunConfig
from tasks.core.errors import DamagedRelease, UnfitRelease
from tasks.core.results import Stage
from tasks.data.bank import Bank
from tasks.model.classifier import PrototypeClassifier, fit_prototypes, from_prototypes, make_embed, with_fused_score
from tasks.model.distances import distance, trained_distance
from tasks.model.fused_score import Fusion
from tasks.registry.champion import select_release
from tasks.registry.gallery import Gallery, read_gallery
from tasks.registry.releases import DEFECT_THRESHOLD, MODE_THRESHOLD, Release


@dataclass(frozen=True)
class LoadedRelease:
    """What a release judges with.

    anchors: (modes, values) float64, the modes' mean maps; data: how tables are read; thresholds: as in
    `threshold.json`, by name; gallery: the training records it keeps, None in a release from before.
    """

    release: Release | None  # None while it is being made
    judge: PrototypeClassifier
    anchors: np.ndarray
    data: DataConfig
    thresholds: dict[str, dict[str, Any]]
    gallery: Gallery | None

    @property
    def defect_threshold(self) -> float:
        """The score above which a part is no good one; NaN where the release has no such threshold."""
        return self._value(DEFECT_THRESHOLD)

    @property
    def mode_radius(self) -> float:
        """The distance to the nearest mode above which a part is of none; NaN where there is no such threshold."""
        return self._value(MODE_THRESHOLD)

    def _value(self, name: str) -> float:
        value = self.thresholds.get(name, {"value": None})["value"]
        return np.nan if value is None else float(value)


def load_release(artifacts: Path, version: str | None = None) -> LoadedRelease:
    """The release of that name, or the champion, ready to judge.

    Raises what `chosen` does, and UnfitRelease where the thresholds are of another distance or another
    map size than the model.
    """
    return load_verified_release(select_release(artifacts, version))


def load_verified_release(release: Release) -> LoadedRelease:
    """A verified release, ready to judge; raises UnfitRelease, or DamagedRelease where a file is not what it should."""
    try:
        told = json.loads((release.path / "threshold.json").read_text())
        with np.load(release.path / "anchors.npz", allow_pickle=False) as file:
            anchors = file["maps"].astype(np.float64)
        judge = load_classifier(release)
        data = DataConfig(**release.manifest["config"]["data"])
        thresholds = {entry["name"]: entry for entry in told["thresholds"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedRelease(
            f"{release.path}: cannot be opened ({error}); restore it, or use another release"
        ) from None
    opened = LoadedRelease(release, judge, anchors, data, thresholds, read_gallery(release.path))
    _require_fit(opened, told)
    return opened


def _require_fit(opened: LoadedRelease, told: dict[str, Any]) -> None:
    """Training with one distance and judging with another is what Kensa exists to end."""
    release, judge, data = opened.release, opened.judge, opened.data
    trained = release.manifest["config"].get("fit", {}).get("distance")
    if trained is not None and trained != told["distance"]["name"]:
        raise UnfitRelease(
            f"{release.version}: expected to judge with the {trained} distance that was trained, found "
            f"{told['distance']['name']} in threshold.json; retrain, or use another release"
        )
    for name, unit in ((DEFECT_THRESHOLD, judge.unit), (MODE_THRESHOLD, judge.distance.name)):
        found = opened.thresholds.get(name, {}).get("distance", unit)
        if found != unit:
            raise UnfitRelease(
                f"{release.version}: expected the threshold {name!r} in {unit}, found one in {found}; "
                "retrain, or use another release"
            )
    if opened.anchors.shape[1] != data.rows * data.cols or (told["rows"], told["cols"]) != (data.rows, data.cols):
        raise UnfitRelease(
            f"{release.version}: expected anchors and thresholds for {data.rows}×{data.cols} maps, found "
            f"{opened.anchors.shape[1]} values and {told['rows']}×{told['cols']}; retrain, or use another release"
        )


def load_trained(model: Stage, bank: Bank, config: RunConfig) -> PrototypeClassifier:
    """The judge of `evaluate.score`; `config` must be resolved."""
    tower = keras.saving.load_model(Path(model.path) / "model.keras", compile=False)
    measure = trained_distance(config.fit)
    judge = fit_prototypes("trained tower", make_embed(tower), measure, config.fit.prototype, bank)
    return with_fused_score(judge, bank, config.evaluate.score)


def load_classifier(release: Release) -> PrototypeClassifier:
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
    judge = from_prototypes(release.version, make_embed(tower), measure, modes, prototypes, good or None)
    return replace(judge, fusion=fusion, fused=settings.get("score") == "fused")


@contextmanager
def _arrays(release: Release, name: str) -> Iterator[Any]:
    """A file of arrays, closed even where it turns out to be none."""
    with (release.path / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        yield arrays
