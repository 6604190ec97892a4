"""A release as one Keras model, from maps to all outputs of a verdict with the constants inside; and its facts.

The tower computes in float32 as it was trained. What follows (distances, scores, thresholds) uses the same objects as
tasks/scoring/verdicts.py, over keras.ops and in float64, so that a score close to a threshold or to a reference record
falls on the same side. Only TensorFlow has float64 within a graph.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tasks.core.files import file_digest
from tasks.core.stages import MANIFEST
from tasks.imaging.standard import read_standard
from tasks.model.fused_score import peak
from tasks.registry.loading import LoadedRelease
from tasks.scoring.verdicts import VERDICTS, verdict_codes

UNREADABLE_CODE = len(VERDICTS)  # the verdict's code of a map with a value that is not finite
CODES = (*VERDICTS, "unreadable")
OUTPUTS = ("distances", "mode", "distance", "score", "margin", "verdict", "beta", "sqrt_ve")
INPUT = "map"
EXPORT_VERSION = 1  # of the form of an export; raise it when the same release is exported as something else


class Operations:
    """keras.ops with another mean along one axis: the sum divided by the count.

    keras.ops.mean becomes a pooling in ONNX, for which ONNX Runtime has no float64.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(ops, name)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """See keras.ops.mean."""
        if not isinstance(axis, int) or x.shape[axis] is None:
            return ops.mean(x, axis=axis, keepdims=keepdims)
        return ops.sum(x, axis=axis, keepdims=keepdims) / x.shape[axis]


XP = Operations()


class VerdictLayer(keras.layers.Layer):
    """From maps (n, values), their embeddings (n, d), and their places for a memory of patches, to the OUTPUTS by name.

    All three are float32.
    `distances` (n, modes) float64 in the release's distance; the others (n,): `mode` and `verdict` int32
    (positions in the release's modes and in CODES), the rest float64 as in tasks/scoring/verdicts.py.
    """

    def __init__(self, release: LoadedRelease) -> None:
        super().__init__(autocast=False, trainable=False, name="verdict_outputs")
        self.release = release

    def call(self, maps: Any, embedded: Any, places: Any = None) -> dict[str, Any]:
        """See the class."""
        release = self.release
        embedded = ops.cast(embedded, "float64")
        distances = self._distances(embedded, release.classifier.prototypes)
        distance = ops.min(distances, axis=1)
        mode = _first_equal(distances, distance)
        score = self._score(maps, embedded, places)
        verdict = verdict_codes(score, distance, release.defect_threshold, release.mode_radius, ops)
        readable = ops.all(ops.isfinite(maps), axis=1)
        beta, sqrt_ve = self._level_and_shape(ops.cast(maps, "float64"), mode)
        return {
            "distances": distances,
            "mode": mode,
            "distance": distance,
            "score": score,
            "margin": release.defect_threshold - score,
            "verdict": ops.cast(ops.where(readable, verdict, UNREADABLE_CODE), "int32"),
            "beta": beta,
            "sqrt_ve": sqrt_ve,
        }

    def _distances(self, embedded: Any, prototypes: dict[str, np.ndarray]) -> Any:
        tensors = {name: ops.convert_to_tensor(np.asarray(value, np.float64)) for name, value in prototypes.items()}
        return self.release.classifier.distance.to_prototypes(embedded, tensors, XP)

    def _score(self, maps: Any, embedded: Any, places: Any) -> Any:
        classifier = self.release.classifier
        if classifier.good is None:
            return ops.full((ops.shape(maps)[0],), np.nan, "float64")
        patches = None if places is None else classifier.encoder.memory(places, ops)
        return classifier.score_at(self._distances(embedded, classifier.good)[:, 0], peak(maps, ops), patches, ops)

    def _level_and_shape(self, maps: Any, mode: Any) -> tuple[Any, Any]:
        """RT's coordinates, as in tasks/imaging/rt.py, against the anchor of each map's nearest mode."""
        anchor = ops.take(ops.convert_to_tensor(self.release.anchors), mode, axis=0)
        beta = ops.sum(maps * anchor, axis=1) / ops.sum(ops.square(anchor), axis=1)
        error = ops.sum(ops.square(maps - beta[:, None] * anchor), axis=1)
        return beta, ops.sqrt(error / (self.release.anchors.shape[1] - 1))


def _first_equal(distances: Any, smallest: Any) -> Any:
    """The argmin, int32 (n,): Keras computes it on TensorFlow by bit operations that ONNX does not have.

    Where no distance equals the smallest because they are NaN, the last mode.
    """
    last = distances.shape[1] - 1
    codes = ops.arange(last + 1, dtype="int32")[None]
    return ops.min(ops.where(ops.equal(distances, smallest[:, None]), codes, last), axis=1)


def verdict_model(release: LoadedRelease) -> keras.Model:
    """The model from `map` (n, rows·cols) float32 to the OUTPUTS, around the release's tower."""
    encoder = release.classifier.encoder
    maps = keras.Input((release.data.rows * release.data.cols,), name=INPUT, dtype="float32")
    places = [] if encoder.memory is None else [encoder.places(maps)]
    return keras.Model(maps, VerdictLayer(release)(maps, encoder.tower(maps), *places), name="verdict")


@dataclass(frozen=True)
class ExportFacts:
    """The content of `facts.json`, of an export's manifest, and of the metadata within the model.

    manifest: SHA-256 of the release's manifest; weights: digest of its weights; modes, verdicts: what the output codes
    mean; units: of `distance` and of `score`; thresholds: by name, each with value, rule, unit and interval;
    photographs: their height, width and channels, the registration, and SHA-256 of the standard, where the export
    takes photographs.
    """

    export: int
    format: str
    release: str
    manifest: str
    weights: str
    rows: int
    cols: int
    input: str
    outputs: list[str]
    modes: list[str]
    verdicts: list[str]
    distance: dict[str, Any]
    units: dict[str, str]
    thresholds: dict[str, dict[str, Any]]
    photographs: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The facts as one JSON object; without photographs as earlier versions wrote them."""
        facts = asdict(self)
        return facts if self.photographs else {name: facts[name] for name in facts if name != "photographs"}


def export_facts(release: LoadedRelease, export_format: str, standard: Path | None = None) -> ExportFacts:
    """The facts of a release exported in a format; standard: the file of the photographs' standard, if any."""
    classifier, data = release.classifier, release.data
    return ExportFacts(
        export=EXPORT_VERSION,
        format=export_format,
        release=release.version,
        manifest=file_digest(release.path / MANIFEST),
        weights=release.manifest.weights,
        rows=data.rows,
        cols=data.cols,
        input=INPUT,
        outputs=list(OUTPUTS),
        modes=classifier.modes,
        verdicts=list(CODES),
        distance=classifier.distance.get_config(),
        units={"distance": classifier.distance.name, "score": classifier.unit},
        thresholds={name: threshold.as_json() for name, threshold in release.thresholds.items()},
        photographs=None if standard is None else _photographs(standard),
    )


def _photographs(file: Path) -> dict[str, Any]:
    standard = read_standard(file)
    height, width = standard.original
    channels, register = 1 if standard.mean.ndim == 2 else 3, standard.options.register
    sizes = {"height": height, "width": width, "channels": channels}
    return {**sizes, "register": register, "standard": file_digest(file)}
