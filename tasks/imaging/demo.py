"""The built-in demonstration part: simulated photographs of a ring terminal, and their RT maps.

A bright stamped ring with a crimp barrel on a dark ground, slightly turned and shifted, with light and tooling that
change from part to part and from lot to lot. Mode 0 is good; modes 1 to 9 have one defect (nick, dent, pit, scratch
or stain) in that cell of a 3 × 3 grid over the part: 1 upper left, 9 lower right, row by row.

Every record has its own random stream, given by seed, mode and number: more records never change earlier ones. The
good photographs of the unit space come from other streams and other lots, so that no map depends on another record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from tasks.core.errors import UnusableFolder
from tasks.core.files import digest_of, ensure_writable
from tasks.core.stages import scratch_folder
from tasks.imaging.simulator import LOT_SHARE, MODES, Pixels, Setup, perturb_setup, render_photograph
from tasks.imaging.windows import WindowGrid, fit_windows, rt_maps

DEMO_VERSION = "1"  # part of the revision: raise it with every change that alters a record

SEED, GOOD, PER_MODE = 42, 600, 100
FILES_GOOD, FILES_PER_MODE, FILES_STANDARD = 160, 20, 60  # photographs that `write_demo` writes
LOTS, UNIT_RECORDS = 12, 200
CHUNK_RECORDS = 128  # drawn at once
RECORD, LOT, UNIT, UNIT_LOT = range(4)  # kinds of random stream
RecordName = tuple[int, int]  # mode, and number within the mode


@dataclass(frozen=True)
class DemoPart:
    """Inspected terminals, row by row.

    `maps` (n, 1404) float32, 36 × 39 RT distances D, row-major; `label` (n,) int64, 0 good, 1 defect;
    `fmode` (n,) int64, 0 good, 1..9 the defect's position; `group` (n,) str, the lot, L00 to L11.
    """

    maps: Pixels
    label: NDArray[np.int64]
    fmode: NDArray[np.int64]
    group: NDArray[np.str_]


def demo_revision() -> str:
    """The revision of the demonstration part, 40 hex digits; no record is generated."""
    return digest_of("kensa demo", DEMO_VERSION, SEED, GOOD, PER_MODE, 0)[:40]


def make_demo(seed: int = SEED, good: int = GOOD, per_mode: int = PER_MODE) -> DemoPart:
    """`good` records of mode 0 and `per_mode` of each mode 1..9, spread evenly over twelve lots.

    The same settings give the same bits on one kind of processor.
    """
    names, grid = record_names(good, per_mode), demo_grid(seed)
    maps = np.empty((len(names), grid.rows * grid.cols), dtype=np.float32)
    for start in range(0, len(names), CHUNK_RECORDS):
        chunk = demo_photographs(names[start : start + CHUNK_RECORDS], seed)
        maps[start : start + CHUNK_RECORDS] = rt_maps(chunk, grid).reshape(len(chunk), -1)
    fmode = np.array([mode for mode, _ in names], dtype=np.int64)
    group = np.array([f"L{_lot(*name):02d}" for name in names])
    return DemoPart(maps, (fmode > 0).astype(np.int64), fmode, group)


def record_names(good: int = GOOD, per_mode: int = PER_MODE) -> list[RecordName]:
    """(mode, number) of every record in the order of `make_demo`."""
    counts = [good, *[per_mode] * (MODES - 1)]
    return [(mode, number) for mode, count in enumerate(counts) for number in range(count)]


def demo_photographs(names: Iterable[RecordName], seed: int = SEED) -> Pixels:
    """The photographs (n, 144, 156) float32 of the records `names`, grey values 0..1 in 8-bit steps.

    Raises ValueError for a mode other than 0..9.
    """
    lots = _lots(seed, LOT)
    return np.stack(
        [render_photograph(default_rng([seed, RECORD, *name]), lots[_lot(*name)], name[0]) for name in names]
    )


def demo_grid(seed: int = SEED) -> WindowGrid:
    """The unit spaces of the windows, from good photographs that are no records."""
    return fit_windows(good_photographs(UNIT_RECORDS, seed))


def good_photographs(count: int, seed: int = SEED) -> Pixels:
    """Photographs (n, 144, 156) of good parts that are no records, from lots of their own: a standard."""
    lots = _lots(seed, UNIT_LOT)
    return np.stack([render_photograph(default_rng([seed, UNIT, i]), lots[i % LOTS], 0) for i in range(count)])


def _lot(mode: int, number: int) -> int:
    """The lot of a record. Each mode starts at another lot, so that 9 × 100 records fill twelve lots evenly."""
    return (4 * mode + number) % LOTS


def _lots(seed: int, kind: int) -> list[Setup]:
    return [perturb_setup(default_rng([seed, kind, lot]), Setup(*[0.0] * 9), LOT_SHARE) for lot in range(LOTS)]


def write_demo(out: Path) -> dict[str, str]:
    """Write `photographs/` (a folder for each mode) and `standard/` below `out`; UnusableFolder where one exists."""
    folders = {name: out / name for name in ("photographs", "standard")}
    if existing := next((folder for folder in folders.values() if folder.exists()), None):
        raise UnusableFolder(f"{existing}: expected no such folder yet, found one; choose another --out")
    names = record_names(FILES_GOOD, FILES_PER_MODE)
    with scratch_folder(ensure_writable(out), "demo") as draft:
        for (mode, number), photo in zip(names, demo_photographs(names), strict=True):
            _write(photo, draft / "photographs" / ("good" if mode == 0 else str(mode)) / f"{number:03d}.png")
        for number, photo in enumerate(good_photographs(FILES_STANDARD)):
            _write(photo, draft / "standard" / f"{number:03d}.png")
        for name, folder in folders.items():
            (draft / name).rename(folder)
    return {name: str(folder) for name, folder in folders.items()}


def _write(photo: np.ndarray, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(photo * 255).astype(np.uint8)).save(path)
