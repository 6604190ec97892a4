"""The demonstration part's photographs as files, so that a newcomer can turn them into maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tasks.core.errors import UnusableFolder
from tasks.core.files import ensure_writable
from tasks.core.stages import scratch_folder
from tasks.imaging.demo import demo_photographs, good_photographs, record_names

GOOD, PER_MODE, STANDARD = 120, 20, 60  # photographs


def write_demo(out: Path) -> dict[str, str]:
    """Write `photographs/` (a folder for each mode) and `standard/` below `out`; UnusableFolder where one exists."""
    folders = {name: out / name for name in ("photographs", "standard")}
    if existing := next((folder for folder in folders.values() if folder.exists()), None):
        raise UnusableFolder(f"{existing}: expected no such folder yet, found one; choose another --out")
    names = record_names(GOOD, PER_MODE)
    with scratch_folder(ensure_writable(out), "demo") as draft:
        for (mode, number), photo in zip(names, demo_photographs(names), strict=True):
            _write(photo, draft / "photographs" / ("good" if mode == 0 else str(mode)) / f"{number:03d}.png")
        for number, photo in enumerate(good_photographs(STANDARD)):
            _write(photo, draft / "standard" / f"{number:03d}.png")
        for name, folder in folders.items():
            (draft / name).rename(folder)
    return {name: str(folder) for name, folder in folders.items()}


def _write(photo: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(photo * 255).astype(np.uint8)).save(path)
