"""The files of a release that enrolling changes: prototypes, threshold, split and gallery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tasks.core.files import write_json
from tasks.data.map_statistics import map_summaries
from tasks.data.split import PARTS
from tasks.enrolment.enrolment import Enrolment
from tasks.registry.release_files import (
    DEFECT_THRESHOLD,
    REPORT_FILE,
    CalibrationScores,
    ClassifierArrays,
    SplitRecords,
    read_report,
    replace_threshold,
)


def write_classifier(draft: Path, enrolment: Enrolment) -> None:
    """Change the files of a copy of the parent that enrolling changes, but for the reference of drift."""
    learnt = enrolment.classifier
    stored = ClassifierArrays.load(draft)
    replace(
        stored,
        modes=learnt.classifier.modes,
        anchors=learnt.anchors,
        prototypes=learnt.classifier.prototypes,
        good=learnt.classifier.good,
    ).save(draft)
    _add_to_split(draft, enrolment)
    if enrolment.is_mode:
        _add_to_gallery(draft, enrolment)
    else:
        entries = read_report(draft)
        write_json(
            draft / REPORT_FILE, entries | {"thresholds": replace_threshold(draft, learnt.thresholds[DEFECT_THRESHOLD])}
        )
        (draft / CalibrationScores.FILE).unlink()  # they are of other lots, by another prototype


def _add_to_split(draft: Path, enrolment: Enrolment) -> None:
    """The parts count as training records: figures on them would be too good."""
    parts, split = enrolment.parts, SplitRecords.load(draft)
    new = ~np.isin(parts.hash, split.hash)
    count, mode = int(new.sum()), enrolment.name if enrolment.is_mode else ""
    SplitRecords(
        hash=np.concatenate([split.hash, parts.hash[new]]),
        part=np.concatenate([split.part, np.full(count, PARTS.index("train"), split.part.dtype)]),
        mode=np.concatenate([split.mode, np.full(count, mode)]),
        good=np.concatenate([split.good, np.full(count, not enrolment.is_mode)]),
        summary=np.concatenate([split.summary, map_summaries(parts.maps[new])]),
    ).save(draft)


def _add_to_gallery(draft: Path, enrolment: Enrolment) -> None:
    """The parts, to be shown beside verdicts."""
    gallery, parts = enrolment.parent.gallery, enrolment.parts
    if gallery is None:
        return
    code, count = len(enrolment.classifier.classifier.modes) - 1, len(parts)
    ids = gallery.id if len(gallery.id) else np.full(len(gallery), "")
    replace(
        gallery,
        maps=np.concatenate([gallery.maps, parts.maps]),
        embedded=np.concatenate([gallery.embedded, parts.embedded.vectors.astype(np.float32)]),
        mode=np.concatenate([gallery.mode, np.full(count, code, gallery.mode.dtype)]),
        good=np.concatenate([gallery.good, np.full(count, False)]),
        group=np.concatenate([gallery.group, parts.group]),
        hash=np.concatenate([gallery.hash, parts.hash]),
        id=np.concatenate([ids, parts.id]),
    ).save(draft)
