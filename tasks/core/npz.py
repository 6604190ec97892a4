"""Records of arrays as .npz files: a dataclass whose fields are arrays, each under its field's name."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np


class NpzRecord:
    """Base of dataclasses of arrays that have a file of their own: FILE, in whatever folder."""

    FILE: ClassVar[str]

    def save(self, folder: Path) -> None:
        """Write the file."""
        np.savez(folder / self.FILE, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The record that `save` wrote; arrays of other names in the file are not read.

        A field with a default keeps it where an earlier version did not write the array.

        Raises OSError, EOFError, ValueError or zipfile.BadZipFile for a file that is missing or of another form, and
        KeyError where an array is missing. Nothing is unpickled.
        """
        with (folder / cls.FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            later = [field.name for field in fields(cls) if field.default_factory is not MISSING]
            names = [field.name for field in fields(cls) if field.name in arrays.files or field.name not in later]
            return cls(**{name: arrays[name] for name in names})

    @classmethod
    def load_if_stored(cls, folder: Path) -> Self | None:
        """The record, None for a folder of an earlier Kensa, which had no such file."""
        return cls.load(folder) if (folder / cls.FILE).exists() else None
