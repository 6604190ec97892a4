"""Records of arrays as .npz files: a dataclass whose fields are arrays, each under its field's name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Record = TypeVar("Record")


def save_npz(record: Any, path: Path) -> None:
    """Write a dataclass of arrays."""
    np.savez(path, **{field.name: getattr(record, field.name) for field in fields(record)})


def load_npz(cls: type[Record], path: Path) -> Record:
    """The record of class `cls` that `save_npz` wrote; arrays of other names in the file are not read.

    Raises OSError, EOFError, ValueError or zipfile.BadZipFile for a file that is missing or of another form, and
    KeyError where an array is missing. Nothing is unpickled.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # `file` is closed in every case
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})
