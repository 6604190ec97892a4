"""The standard of photographs that comes with a source of maps: a release carries it, so that it can judge photographs.

It is the file `standard.npz` that `kensa maps` writes beside its table. It belongs to no revision: what a source's
records are, the tables alone decide.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tasks.config.run import DataConfig
from tasks.core.errors import UnfitStandard
from tasks.core.files import file_digest
from tasks.core.progress import note_line
from tasks.core.results import DownloadedSource
from tasks.imaging.standard import STANDARD_FILE, Standard, read_standard


def find_standard(downloaded: DownloadedSource) -> str | None:
    """The path of a source's standard; None without one, and for several sources that have not all the same."""
    if downloaded.parts:
        found = [find_standard(part) for part in downloaded.parts]
        digests = {path and file_digest(Path(path)) for path in found}
        if len(digests) > 1:
            note_line("the sources have not all the same standard: the release will take maps, and no photographs")
        return found[0] if len(digests) == 1 else None
    path = Path(downloaded.folder) / STANDARD_FILE
    return str(path) if downloaded.folder and path.is_file() else None


def read_fitting_standard(path: Path, data: DataConfig) -> Standard:
    """The standard of a file or folder, for maps of these rows and columns; raises UnfitStandard."""
    standard = read_standard(path)
    size, expected = (standard.options.rows, standard.options.cols), (data.rows, data.cols)
    if size != expected:
        raise UnfitStandard(
            f"{path}: expected a standard of {expected[0]}×{expected[1]} maps, found one of {size[0]}×{size[1]}"
        )
    return standard


def keep_standard(path: str | None, data: DataConfig, folder: Path) -> None:
    """Copy a source's standard into the folder of a release.

    One that cannot be used costs no training: the release then takes maps alone, and a line says so.
    """
    if path is None:
        return
    try:
        read_fitting_standard(Path(path), data)
        shutil.copyfile(path, folder / STANDARD_FILE)
    except (UnfitStandard, OSError) as error:
        (folder / STANDARD_FILE).unlink(missing_ok=True)
        note_line(f"the release will take no photographs: {error}")
