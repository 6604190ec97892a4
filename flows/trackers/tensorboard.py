"""TensorBoard: the curves, the metrics and the embeddings of each retraining, as event files in a folder.

KENSA_TENSORBOARD_LOGDIR names the folder; below it is kensa-LINE/RELEASE, which `tensorboard --logdir` shows as a run.
The embeddings are those of the training records that a release keeps, with a picture of each map.
"""

from __future__ import annotations

import datetime
import importlib.util
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.trackers.finished_run import FinishedRun, tracked_name
from tasks.core.errors import MissingExtra
from tasks.core.text import one_line
from tasks.registry.gallery import Gallery
from tasks.registry.release_files import CARD_FILE, ClassifierArrays, read_report
from tasks.registry.releases import Release, read_release

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

CONFIGURED_BY = "KENSA_TENSORBOARD_LOGDIR"
COLUMNS = ["mode", "label", "part", "group"]  # of the projector's table
PICTURE_PERCENTILES = (1, 99)  # the values that are black and white


class TensorBoardHook:
    """Writes event files below `folder`; a failed run has nothing to show."""

    name = "TensorBoard"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(self, run: FinishedRun) -> None:
        """Raises OSError where the folder cannot be written."""
        if run.folder is None:
            return
        from tensorboardX import SummaryWriter

        release = read_release(run.folder)
        with SummaryWriter(str(self._folder_of(run)), filename_suffix=".kensa") as writer:
            _write_curves(writer, release, run.began, run.ended)
            _write_metrics(writer, release, run.ended)
            _write_embeddings(writer, release)

    def _folder_of(self, run: FinishedRun) -> Path:
        """`kensa-LINE/RELEASE`; for a draft its first digits; with the run's where there is such a folder."""
        folder = self.folder / tracked_name(run.line, run.folder) / (run.release or f"rejected-{run.folder.name[:8]}")
        return folder.with_name(f"{folder.name}-{run.run[:8]}") if folder.exists() else folder


def configured_hook() -> TensorBoardHook | None:
    """The hook where the environment names a folder; raises MissingExtra where the writer is not installed."""
    folder = os.environ.get(CONFIGURED_BY)
    if not folder:
        return None
    if importlib.util.find_spec("tensorboardX") is None:
        raise MissingExtra(CONFIGURED_BY, "tensorboardX", "tensorboard")
    return TensorBoardHook(Path(folder))


def _write_curves(writer: SummaryWriter, release: Release, began: datetime.datetime, ended: datetime.datetime) -> None:
    """A scalar for each column of the training log, an epoch a step, spread over the run's time."""
    epochs = (read_report(release.path).get("history") or {}).get("epochs", [])
    for number, epoch in enumerate(epochs, 1):
        time = began + (ended - began) * number / len(epochs)
        for name, value in epoch.items():
            if name != "epoch" and value is not None:
                writer.add_scalar(f"training/{name}", value, epoch["epoch"], time.timestamp())


def _write_metrics(writer: SummaryWriter, release: Release, ended: datetime.datetime) -> None:
    """A scalar for each metric of the manifest, and the model card as text."""
    for name, value in release.manifest.metrics.items():
        if math.isfinite(value):
            writer.add_scalar(f"metrics/{name}", value, 0, ended.timestamp())
    card = (release.path / CARD_FILE).read_text(encoding="utf-8")
    writer.add_text("model card", card, 0, ended.timestamp())


def _write_embeddings(writer: SummaryWriter, release: Release) -> None:
    """The kept training records for the projector; a release of an early version keeps none."""
    gallery = Gallery.load_if_stored(release.path)
    if gallery is None or not len(gallery):
        return
    modes = ClassifierArrays.load(release.path).modes
    ids = gallery.id if len(gallery.id) else np.arange(len(gallery))
    labels = np.where(gallery.good, "good", "defect")
    columns = (np.array(modes)[gallery.mode], labels, ids, gallery.group)
    table = [[one_line(str(text)) for text in row] for row in zip(*columns, strict=True)]
    pictures = map_pictures(gallery.maps.reshape(-1, *release.manifest.map_size))
    writer.add_embedding(gallery.embedded, table, pictures, tag="training records", metadata_header=COLUMNS)


def map_pictures(maps: np.ndarray) -> np.ndarray:
    """Maps (n, rows, cols) as grey pictures (n, 3, side, side) in 0..1, on a square with a black margin."""
    low, high = np.percentile(maps, PICTURE_PERCENTILES)
    grey = np.clip((maps - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)
    side = max(maps.shape[1:])
    square = np.zeros((len(maps), side, side), np.float32)
    square[:, : maps.shape[1], : maps.shape[2]] = grey
    return np.repeat(square[:, None], 3, axis=1)
