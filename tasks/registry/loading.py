"""Classifiers from disk: a trained one from its stage, a calibrated one from the folder of its release.

A release is opened from its own folder alone, and refused where its parts do not fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tasks.config.run import DataConfig, RunConfig
from tasks.core.errors import DamagedRelease, UnfitRelease
from tasks.core.results import Stage
from tasks.core.text import one_line
from tasks.data.bank import Bank
from tasks.model.classifier import SCORE_KINDS, PrototypeClassifier, fit_prototypes, with_fused_score
from tasks.model.distances import distance, trained_distance
from tasks.model.embeddings import EmbeddedBank, TowerEncoder, make_encoder
from tasks.model.patch_memory import PatchMemory, fit_patch_memory
from tasks.model.shifted_tower import shifted_tower
from tasks.model.tower import reset_number_format
from tasks.registry.champion import select_release
from tasks.registry.gallery import Gallery
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    MODE_THRESHOLD,
    MODEL_FILE,
    UNREADABLE_RELEASE,
    ClassifierArrays,
    Threshold,
    ThresholdSettings,
)
from tasks.registry.releases import Release


@dataclass(frozen=True)
class CalibratedClassifier:
    """A classifier with the thresholds by which new parts get their verdicts.

    anchors: (modes, values) float64, the modes' mean maps; data: how tables are read; thresholds: by name.
    """

    classifier: PrototypeClassifier
    anchors: np.ndarray
    data: DataConfig
    thresholds: dict[str, Threshold]

    @property
    def defect_threshold(self) -> float:
        """The score above which a part is a defect; NaN where there is no such threshold."""
        return self._value(DEFECT_THRESHOLD)

    @property
    def mode_radius(self) -> float:
        """The distance to the nearest mode above which a part belongs to no mode; NaN where there is no threshold."""
        return self._value(MODE_THRESHOLD)

    def _value(self, name: str) -> float:
        threshold = self.thresholds.get(name)
        return np.nan if threshold is None or threshold.value is None else float(threshold.value)


@dataclass(frozen=True)
class LoadedRelease(CalibratedClassifier):
    """A release, ready to classify. gallery: the training records that it keeps, None in a release without one."""

    release: Release
    gallery: Gallery | None

    @property
    def version(self) -> str:
        """The release's name, such as v3."""
        return self.release.version

    @property
    def path(self) -> Path:
        """The release's folder."""
        return self.release.path

    @property
    def manifest(self) -> ReleaseManifest:
        """The release's manifest."""
        return self.release.manifest

    @property
    def language(self) -> str:
        """The language of the release's reports, `en` or `ja`."""
        return self.manifest.language


def load_release(artifacts: Path, version: str | None = None) -> LoadedRelease:
    """The release of that name, or the champion, ready to classify.

    Raises what `select_release` does, and UnfitRelease where the thresholds are of another distance or another
    map size than the model.
    """
    return load_verified_release(select_release(artifacts, version))


def load_verified_release(release: Release) -> LoadedRelease:
    """A verified release, ready to classify; raises UnfitRelease, or DamagedRelease for a file of another form."""
    try:
        settings, arrays = ThresholdSettings.load(release.path), ClassifierArrays.load(release.path)
        loaded = LoadedRelease(
            classifier=_classifier(release, settings, arrays),
            anchors=arrays.anchors,
            data=DataConfig(**release.manifest.config["data"]),
            thresholds=settings.by_name,
            release=release,
            gallery=Gallery.load_if_stored(release.path),
        )
    except UNREADABLE_RELEASE as error:
        raise DamagedRelease(
            f"{release.path}: cannot be opened ({one_line(error)}); restore it, or use another release"
        ) from None
    _require_fit(loaded, settings)
    return loaded


def _require_fit(loaded: LoadedRelease, settings: ThresholdSettings) -> None:
    """Training with one distance and classifying with another is what Kensa exists to end."""
    release, classifier, data = loaded.release, loaded.classifier, loaded.data
    trained = release.manifest.distance
    if trained is not None and trained != settings.distance["name"]:
        raise UnfitRelease(
            f"{release.version}: expected the {trained} distance, with which its model was trained, found "
            f"{settings.distance['name']} in threshold.json; retrain, or use another release"
        )
    for name, unit in ((DEFECT_THRESHOLD, classifier.unit), (MODE_THRESHOLD, classifier.distance.name)):
        threshold = loaded.thresholds.get(name)
        if threshold is not None and threshold.distance not in (None, unit):
            raise UnfitRelease(
                f"{release.version}: expected the threshold {name!r} in {unit}, found one in {threshold.distance}; "
                "retrain, or use another release"
            )
    size, values = (data.rows, data.cols), loaded.anchors.shape[1]
    if values != data.rows * data.cols or (settings.rows, settings.cols) != size:
        raise UnfitRelease(
            f"{release.version}: expected anchors and thresholds for {data.rows}×{data.cols} maps, found "
            f"{values} values and {settings.rows}×{settings.cols}; retrain, or use another release"
        )


def embedded_bank(tower: keras.Model, bank: Bank, config: RunConfig) -> EmbeddedBank:
    """A bank under a trained tower, with the shifts and the memory of patches that the settings ask for.

    Raises BadSetting for a memory of a tower whose layers do not keep rows and columns.
    """
    memory = fit_patch_memory(tower, bank, config.seed) if config.evaluate.score == "patches" else None
    return EmbeddedBank(make_encoder(with_shifts(tower, config), memory, tower), bank)


def with_shifts(tower: keras.Model, config: RunConfig) -> keras.Model:
    """A tower over the mean of the shifts that the settings ask for."""
    return shifted_tower(tower, (config.data.rows, config.data.cols), config.evaluate.shifts)


def load_tower(trained: Stage | Release) -> keras.Model:
    """The tower that a model's stage or a release holds."""
    reset_number_format()
    return keras.saving.load_model(Path(trained.path) / MODEL_FILE, compile=False)


def trained_classifier(records: EmbeddedBank, config: RunConfig) -> PrototypeClassifier:
    """The classifier of a trained encoder, with the score of `evaluate.score`; `config` must be resolved."""
    classifier = fit_prototypes("trained tower", records, trained_distance(config.fit), config.fit.prototype)
    return with_fused_score(classifier, records, config.evaluate.score)


def load_classifier(release: Release) -> PrototypeClassifier:
    """The classifier of a release; raises one of UNREADABLE_RELEASE where a file is missing or of another form."""
    return _classifier(release, ThresholdSettings.load(release.path), ClassifierArrays.load(release.path))


def _classifier(release: Release, settings: ThresholdSettings, arrays: ClassifierArrays) -> PrototypeClassifier:
    return PrototypeClassifier(
        name=release.version,
        modes=arrays.modes,
        encoder=_release_encoder(release, settings, arrays.memory),
        distance=distance(**settings.distance, folder=release.path),
        prototypes=arrays.prototypes,
        good=arrays.good,
        fusion=arrays.fusion,
        score_kind=settings.score,
    )


def _release_encoder(release: Release, settings: ThresholdSettings, memory: PatchMemory | None) -> TowerEncoder:
    """A release's tower, or the mean of that tower over shifts, and its memory of patches."""
    if settings.score not in SCORE_KINDS:
        raise ValueError(f"the score {settings.score!r} is not known")
    tower = load_tower(release)
    return make_encoder(shifted_tower(tower, (settings.rows, settings.cols), settings.shifts), memory, tower)
