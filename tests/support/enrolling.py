"""Parts from which the small line learns a mode or a lot."""

from __future__ import annotations

import hashlib

import numpy as np
from support.inspected_parts import COLS, ROWS, Parts

from tasks.enrolment.modes import HeldOutRecords
from tasks.enrolment.parts import EnrolledParts
from tasks.model.classifier import PrototypeClassifier

NEW_MODE = "7"
CELLS = [7, 16]  # where the new mode differs from good parts


def parts_of_new_mode(count: int, seed: int = 5, cells: list[int] = CELLS) -> Parts:
    """Parts of a mode that the small line does not know."""
    maps = np.random.default_rng(seed).normal(0, 0.3, (count, ROWS * COLS))
    maps[:, cells] += 3
    return Parts(maps.astype(np.float32), np.ones(count, int), np.full(count, int(NEW_MODE)), np.full(count, ""))


def parts_of_new_lot(count: int, level: float = 4.0, seed: int = 9, lot: str = "L9") -> Parts:
    """Good parts of one lot, of which two values lie by `level` higher than those of the small line."""
    maps = np.random.default_rng(seed).normal(0, 0.3, (count, ROWS * COLS))
    maps[:, CELLS] += level
    return Parts(maps.astype(np.float32), np.zeros(count, int), np.zeros(count, int), np.full(count, lot))


def enrolled_parts(classifier: PrototypeClassifier, parts: Parts) -> EnrolledParts:
    """The parts as they are read from a source."""
    names = np.array([hashlib.blake2b(row, digest_size=16).hexdigest() for row in parts.maps], "S32")
    return EnrolledParts(parts.maps, classifier.embed(parts.maps), names, parts.group, np.full(len(parts), ""))


def held_out(classifier: PrototypeClassifier, parts: Parts) -> HeldOutRecords:
    """The parts as test records of the parent, each on its own."""
    return HeldOutRecords(
        parts.maps, classifier.embed(parts.maps), parts.mode.astype(str), parts.label == 0, np.arange(len(parts))
    )
