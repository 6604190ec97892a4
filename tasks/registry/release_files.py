"""The files of a release's folder: their names, what they hold, and how they are read and written.

model.keras       the tower
anchors.npz       modes (m,) str; maps (m, values), the modes' mean maps; prototypes of the modes and of good parts
                  in the embedding, as `prototype_<name>` and `good_<name>`; with a fused score, the scores of the
                  reference records as `reference_distance` and `reference_peak`, and how they are combined as
                  `fusion_form`, which releases of earlier versions do not have; with a memory of patches, its
                  vectors as `patch_vectors`, the tower's layer as `patch_layer`, and `reference_patches`
threshold.json    distance, kind of score, map size, and the calibrated thresholds
split.npz         the records that the model was trained, calibrated and tested on
scores.npz        the scores that the threshold was found and tested on
gallery.npz       training records to be shown beside a verdict
reference.npz     held-out records that drift is measured against (tasks/monitoring/reference.py)
labels.parquet    records whose label may be wrong; labels.html shows them
report.json       the evaluation; report.html shows it; roc.svg, confusion.svg and history.svg are pictures of it, which
                  releases of earlier versions lack
standard.npz      the standard of photographs (tasks/imaging/standard.py), where the training source came with one: then
                  the release takes photographs
own/              the source of a tower or distance of one's own, which the release is judged with
sbom.json         the bill of materials (CycloneDX), which releases of earlier versions lack
README.md         the model card; tower.svg is its picture, which releases of earlier versions lack
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from tasks.core.errors import NothingToCalibrate
from tasks.core.files import write_json
from tasks.core.npz import ArrayBlocks, NpzRecord, map_arrays
from tasks.data.bank import Bank
from tasks.data.columns import row_blocks
from tasks.data.map_statistics import MAP_SUMMARIES, MAPS_PER_BLOCK, map_summaries
from tasks.data.split import PARTS
from tasks.model.distances import Prototype
from tasks.model.fused_score import P_VALUES, RANKS, Fusion
from tasks.model.patch_memory import PatchMemory
from tasks.registry.gallery import Gallery

MODEL_FILE, CARD_FILE, TOWER_FILE = "model.keras", "README.md", "tower.svg"
ANCHORS_FILE, THRESHOLD_FILE, SPLIT_FILE = "anchors.npz", "threshold.json", "split.npz"
SCORES_FILE, REFERENCE_FILE = "scores.npz", "reference.npz"
LABELS_FILE, LABELS_PAGE = "labels.parquet", "labels.html"
REPORT_FILE, REPORT_PAGE = "report.json", "report.html"
PARENT_PAGE = "parent.html"  # of a release that was made from another one: the report of that one
EVALUATION_FILES = (  # what a release has from the stage `report`
    *(ANCHORS_FILE, THRESHOLD_FILE, SPLIT_FILE, Gallery.FILE, REFERENCE_FILE, SCORES_FILE),
    *(LABELS_FILE, LABELS_PAGE, REPORT_PAGE, REPORT_FILE),
)
# Beside them, where the stage was made by a version that drew them: ROC curves, confusion matrix, training curves.
PICTURE_FILES = ("roc.svg", "confusion.svg", "history.svg")
DEFECT_THRESHOLD, MODE_THRESHOLD = "good or defect", "same mode"  # names of a release's thresholds

# What reading a file can raise that is missing, cut off or of another form, or that names an unknown distance.
UNREADABLE_RELEASE = (OSError, EOFError, BadZipFile, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Threshold:
    """A calibrated threshold: a score above `value` is an anomaly (or a pair of different modes).

    `value` and its bootstrap `interval` are in units of `distance`; None where there is no threshold, and `refused`
    says why. It was found on `units` calibration records (or groups), of whose scores `negatives` were good (or of
    the same mode). lots: how many calibration lots it was learnt from, for parts of new lots; None where it is for
    parts like the calibration records. crossed: whether its records were scored by models that were not trained on
    their groups, instead of by the model itself.
    """

    name: str
    rule: str
    target: float | None
    distance: str | None
    units: int
    negatives: int
    value: float | None
    interval: tuple[float, float] | None = None
    refused: str | None = None
    lots: int | None = None
    crossed: bool | None = None

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Threshold:
        """The threshold of an entry in `threshold.json`; keys of a later Kensa are left out."""
        values = {field.name: entry.get(field.name) for field in fields(cls)}
        return cls(**values | {"interval": None if values["interval"] is None else tuple(values["interval"])})

    def as_json(self) -> dict[str, Any]:
        """Plain values for `threshold.json`."""
        return asdict(self) | {"interval": None if self.interval is None else list(self.interval)}


@dataclass(frozen=True)
class ThresholdSettings:
    """What `threshold.json` holds.

    distance: the distance's name and parameters; score: `distance`, `fused` or `patches`; prototype: how prototypes
    were made; rows, cols: the size of a map; thresholds: one entry each; shifts: over how many shifts of a map its
    embedding is the mean, 1 in releases of earlier versions.
    """

    distance: dict[str, Any]
    score: str
    prototype: str
    rows: int
    cols: int
    thresholds: tuple[Threshold, ...]
    shifts: int = 1

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> ThresholdSettings:
        """The settings as they are stored. Raises KeyError where one is missing that every release has."""
        return cls(
            distance=entries["distance"],
            score=entries.get("score", "distance"),
            prototype=entries.get("prototype", ""),
            rows=entries["rows"],
            cols=entries["cols"],
            thresholds=tuple(Threshold.from_json(entry) for entry in entries["thresholds"]),
            shifts=entries.get("shifts", 1),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for `threshold.json`."""
        return asdict(self) | {"thresholds": [threshold.as_json() for threshold in self.thresholds]}

    @classmethod
    def load(cls, folder: Path) -> ThresholdSettings:
        """The settings in a folder; raises one of UNREADABLE_RELEASE."""
        return cls.from_json(json.loads((folder / THRESHOLD_FILE).read_text(encoding="utf-8")))

    def save(self, folder: Path) -> None:
        """Write `threshold.json`."""
        write_json(folder / THRESHOLD_FILE, self.as_json())

    @property
    def by_name(self) -> dict[str, Threshold]:
        """The thresholds by their names."""
        return {threshold.name: threshold for threshold in self.thresholds}


@dataclass(frozen=True)
class ClassifierArrays:
    """The arrays of `anchors.npz`, from which a classifier is made again.

    modes: m names; anchors (m, values) float64, the modes' mean maps; prototypes: arrays with a row for each mode;
    good: arrays with one row, None without good records; fusion: the reference of a fused score, if there is one;
    memory: the places of good parts, if the score uses them.
    """

    modes: list[str]
    anchors: np.ndarray
    prototypes: Prototype
    good: Prototype | None
    fusion: Fusion | None
    memory: PatchMemory | None = None

    @classmethod
    def load(cls, folder: Path) -> ClassifierArrays:
        """The arrays in a folder; raises one of UNREADABLE_RELEASE."""
        with (folder / ANCHORS_FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return cls(
                modes=[str(mode) for mode in arrays["modes"]],
                anchors=arrays["maps"].astype(np.float64),
                prototypes=_with_prefix(arrays, "prototype_"),
                good=_with_prefix(arrays, "good_") or None,
                fusion=_fusion(arrays),
                memory=_memory(arrays),
            )

    def save(self, folder: Path) -> None:
        """Write `anchors.npz`."""
        points = {f"prototype_{name}": value for name, value in self.prototypes.items()}
        points |= {f"good_{name}": value for name, value in (self.good or {}).items()}
        if self.fusion is not None:
            points |= {"reference_distance": self.fusion.distance, "reference_peak": self.fusion.peak}
            points["fusion_form"] = np.array(self.fusion.form)
            if self.fusion.patches is not None:
                points["reference_patches"] = self.fusion.patches
        if self.memory is not None:
            points |= {"patch_vectors": self.memory.vectors, "patch_layer": np.array(self.memory.layer)}
        np.savez(folder / ANCHORS_FILE, modes=np.array(self.modes, str), maps=self.anchors, **points)


def _fusion(arrays: np.lib.npyio.NpzFile) -> Fusion | None:
    """The reference of a fused score; files of earlier versions name no form, which was the sum of ranks."""
    if "reference_peak" not in arrays.files:
        return None
    form = str(arrays["fusion_form"]) if "fusion_form" in arrays.files else RANKS
    if form not in (P_VALUES, RANKS):
        raise ValueError(f"the form {form!r} of the fused score is not known")
    patches = arrays["reference_patches"] if "reference_patches" in arrays.files else None
    return Fusion(arrays["reference_distance"], arrays["reference_peak"], form, patches)


def _memory(arrays: np.lib.npyio.NpzFile) -> PatchMemory | None:
    """The memory of patches; releases of earlier versions have none."""
    if "patch_vectors" not in arrays.files:
        return None
    return PatchMemory(str(arrays["patch_layer"]), arrays["patch_vectors"])


@dataclass(frozen=True)
class SplitRecords(NpzRecord):
    """The records of a release: hash (n,) S32, part (n,) code of PARTS, mode (n,) str, good (n,) bool.

    summary: (n, statistics) float, the maps' statistics of tasks/data/map_statistics.py.
    """

    FILE = SPLIT_FILE
    hash: np.ndarray
    part: np.ndarray
    mode: np.ndarray | ArrayBlocks
    good: np.ndarray
    summary: np.ndarray | ArrayBlocks

    @classmethod
    def of(cls, bank: Bank) -> SplitRecords:
        """The records of a bank, to be saved: modes and summaries are blocks."""
        names, count = np.array(bank.modes, str), len(bank.hash)

        def modes() -> Iterator[np.ndarray]:
            return (names[bank.mode[block]] for block in row_blocks(count, MAPS_PER_BLOCK))

        def summaries() -> Iterator[np.ndarray]:
            return (map_summaries(bank.maps[block]) for block in row_blocks(count, MAPS_PER_BLOCK))

        summary = ArrayBlocks(np.dtype(np.float32), count, summaries, (len(MAP_SUMMARIES),))
        return cls(bank.hash, bank.part, ArrayBlocks(names.dtype, count, modes), bank.good, summary)

    @classmethod
    def load(cls, folder: Path) -> SplitRecords:
        """The record that `save` wrote, memory-mapped; raises what NpzRecord.load does."""
        arrays = map_arrays(folder / cls.FILE)
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    @property
    def is_seen(self) -> np.ndarray:
        """Whether the model has seen each record, (n,) bool: all but those of the test part."""
        return self.part != PARTS.index("test")


@dataclass(frozen=True)
class CalibrationScores(NpzRecord):
    """The scores that a release's threshold was found and tested on; empty where there is no good prototype.

    score: (n,) float64 in the release's own unit; good: (n,) bool; test: (n,) bool, of the test part, else of the
    calibration part; unit: (n,) int, what a bootstrap draws as one, within each part; unit_kind: () str, `record` or
    `group`.
    """

    FILE = SCORES_FILE
    score: np.ndarray
    good: np.ndarray
    test: np.ndarray
    unit: np.ndarray
    unit_kind: np.ndarray

    def part(self, test: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Score, defect and unit of the test part, or of the calibration part: (k,) each."""
        rows = self.test == test
        return self.score[rows], ~self.good[rows], self.unit[rows]


def load_scores(folder: Path) -> CalibrationScores:
    """The scores of a release; NothingToCalibrate where it has none, or knows no good parts."""
    scores = CalibrationScores.load_if_stored(folder)
    if scores is None or not len(scores.score):
        raise NothingToCalibrate(
            f"{folder.name}: expected a release with the scores of good and defective parts, found none; "
            "retrain on data with good parts"
        )
    return scores


def replace_threshold(folder: Path, threshold: Threshold) -> list[dict[str, Any]]:
    """Write another threshold of the same name into `threshold.json`, leave all else, and return all thresholds."""
    path = folder / THRESHOLD_FILE
    settings = json.loads(path.read_text(encoding="utf-8"))
    entries = [threshold.as_json() if entry["name"] == threshold.name else entry for entry in settings["thresholds"]]
    write_json(path, settings | {"thresholds": entries})
    return entries


def read_report(folder: Path) -> dict[str, Any]:
    """What `report.json` holds."""
    return json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))


def _with_prefix(arrays: np.lib.npyio.NpzFile, prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}
