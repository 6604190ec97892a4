"""Arrays as .npz files: dataclasses whose fields are arrays, and files larger than memory; arrays changed on disk."""

from __future__ import annotations

import mmap
import struct
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from tasks.core.files import translate_disk_errors

LOCAL_HEADER_BYTES = 30  # of a member of a zip file, before its name and extra field


@dataclass(frozen=True)
class ArrayBlocks:
    """An array (n, …) that is written block by block: type, length, what makes its blocks, and shape of a row."""

    dtype: np.dtype
    length: int
    blocks: Callable[[], Iterable[np.ndarray]]
    row_shape: tuple[int, ...] = ()

    def __len__(self) -> int:
        """How many rows there are."""
        return self.length

    def array(self) -> np.ndarray:
        """All blocks as one array in memory."""
        result, start = np.empty((self.length, *self.row_shape), self.dtype), 0
        for block in self.blocks():
            result[start : start + len(block)] = block
            start += len(block)
        return result


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray | ArrayBlocks]) -> None:
    """Write an uncompressed `.npz` file, as `numpy.savez` does, with one block of ArrayBlocks in memory at a time.

    The arrays may be those of the very file: it is written beside, and then takes the name.
    """
    beside = path.with_name(f".{path.name}")
    _write_arrays(beside, arrays)
    beside.replace(path)


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray | ArrayBlocks]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", mode="w", force_zip64=True) as member:
                if isinstance(array, ArrayBlocks):
                    shape = array.length, *array.row_shape
                    header = {"descr": array.dtype.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    for block in array.blocks():
                        member.write(np.ascontiguousarray(block, array.dtype))
                else:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an uncompressed `.npz` file, read-only, whose pages are read when they are needed.

    Raises OSError, EOFError, ValueError or zipfile.BadZipFile for a file of another form. Nothing is unpickled.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return {info.filename.removesuffix(".npy"): _member(content, info) for info in archive.infolist()}


def _member(content: mmap.mmap, info: zipfile.ZipInfo) -> np.ndarray:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename}: expected an array that is not compressed")
    name_bytes, extra_bytes = struct.unpack_from("<HH", content, info.header_offset + LOCAL_HEADER_BYTES - 4)
    content.seek(info.header_offset + LOCAL_HEADER_BYTES + name_bytes + extra_bytes)
    np.lib.format.read_magic(content)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(content)
    if dtype.hasobject:
        raise ValueError(f"{info.filename}: expected an array of numbers or texts")
    values = np.frombuffer(content, dtype, int(np.prod(shape)), content.tell())
    return values.reshape(shape, order="F" if fortran_order else "C")


class ScratchArray:
    """Elements of one type that are appended block by block to a nameless file, and changed or sorted there.

    It lies in `folder`, or in that of temporary files (`TMPDIR`); its pages are the page cache's, and not the
    process's. Raises UnusableFolder for what the disk refuses.
    """

    def __init__(self, dtype: np.typing.DTypeLike, folder: Path | None = None) -> None:
        self.dtype, self.folder = np.dtype(dtype), folder or Path(tempfile.gettempdir())
        with translate_disk_errors(self.folder):
            self.file = tempfile.TemporaryFile(buffering=0, dir=self.folder)  # noqa: SIM115, closed below
        weakref.finalize(self, self.file.close)  # what is mapped stays

    def append(self, values: np.ndarray) -> None:
        """Add elements (k,)."""
        with translate_disk_errors(self.folder):
            np.asarray(values, self.dtype).tofile(self.file)

    def array(self) -> np.ndarray:
        """All elements so far, (n,), mapped from the file; they may be changed."""
        if not self.file.tell():
            return np.empty(0, self.dtype)  # an empty file cannot be mapped
        return np.asarray(np.memmap(self.file, self.dtype, "r+"))

    def sort(self) -> np.ndarray:
        """All elements so far, ascending, (n,), mapped from the file."""
        values = self.array()
        values.sort()
        return values


class NpzRecord:
    """Base of dataclasses of arrays that have a file of their own: FILE, in whatever folder."""

    FILE: ClassVar[str]

    def save(self, folder: Path) -> None:
        """Write the file."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {
            name: value if isinstance(value, ArrayBlocks) else np.asanyarray(value) for name, value in values.items()
        }
        save_arrays(folder / self.FILE, arrays)

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
