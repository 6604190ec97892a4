"""A release as it is served: its export in ONNX, which gives the release's verdicts and needs no TensorFlow.

The export is made once for each release, by `kensa export` in a process of its own with its parity gate, and kept in
`exports/` of the artifacts.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.config.run import DataConfig
from tasks.core.errors import MissingExtra, NotServable
from tasks.core.files import file_digest
from tasks.core.stages import MANIFEST, verified_manifest
from tasks.core.text import one_line
from tasks.imaging.standard import STANDARD_FILE
from tasks.registry.champion import select_release
from tasks.registry.releases import Release

if TYPE_CHECKING:
    from tasks.scoring.standalone import Inspector

PACKAGES = {name: name for name in ("onnxruntime", "onnx", "tf2onnx")}
PACKAGES["python_multipart"] = "python-multipart"
MISSING_OPENCV = "needs OpenCV for them, which the service does not have; run make setup EXTRAS=photos"
MISSING_STANDARD = "carries no standard; train on maps of kensa maps, or start the service with --standard"
MAPS_PER_CALL = 1024  # which bounds the memory of a call
NUMBERS = ("distance", "score", "margin", "beta", "sqrt_ve")


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on n maps by one release; each column by name, (n,): texts `verdict` and `mode`, and NUMBERS."""

    release: str
    digest: str
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        """How many maps there were."""
        return len(self.columns["verdict"])


@dataclass(frozen=True)
class ServedRelease:
    """A release, ready to judge in any number of threads.

    digest: SHA-256 of its manifest; standard: the file by which photographs are measured, None for a release that
    takes none, and `takes_maps_alone` says why.
    """

    version: str
    digest: str
    data: DataConfig
    inspector: Inspector
    standard: Path | None = None
    takes_maps_alone: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What its export says of it: map size, modes, verdicts, units, thresholds."""
        return self.inspector.facts

    def judge(self, maps: np.ndarray) -> Verdicts:
        """The verdicts on maps (n, values), `unreadable` for a map with a value that is not finite."""
        starts = range(0, max(len(maps), 1), MAPS_PER_CALL)
        calls = [self.inspector.outputs(maps[start : start + MAPS_PER_CALL]) for start in starts]
        outputs = {name: np.concatenate([call[name] for call in calls]) for name in calls[0]}
        columns = {name: np.array(self.facts[f"{name}s"], object)[outputs[name]] for name in ("verdict", "mode")}
        return Verdicts(self.version, self.digest, columns | {name: outputs[name] for name in NUMBERS})


def require_runtime() -> None:
    """Raise MissingExtra where the packages of the extra `serve` are not installed."""
    if missing := [package for module, package in PACKAGES.items() if importlib.util.find_spec(module) is None]:
        raise MissingExtra("kensa serve", ", ".join(missing), "serve")


def open_release(artifacts: Path, version: str | None, standard: Path | None = None) -> ServedRelease:
    """The release of that name, or the champion; exported first where that was not done yet, which takes a while.

    standard: a standard of photographs, or its folder, for a release that carries none. Raises what `select_release`
    does, and NotServable.
    """
    release = select_release(artifacts, version)
    digest, own = file_digest(release.path / MANIFEST), release.path / STANDARD_FILE
    if own.is_file():
        wanted, words = own if has_opencv() else None, []
    else:
        wanted, words = standard, [] if standard is None else ["--standard", str(standard)]
    photographs = None if wanted is None else file_digest(wanted)
    name = "-".join(["serve", release.version, digest[:12], *([photographs[:8]] if photographs else [])])
    folder = artifacts / "exports" / name
    if not _is_export_of(folder, digest, photographs):
        _export(artifacts, release, folder, words)
    return _open(release, digest, folder)


def has_opencv() -> bool:
    """Whether photographs can be read here."""
    return importlib.util.find_spec("cv2") is not None


def _is_export_of(folder: Path, digest: str, photographs: str | None) -> bool:
    """Whether a folder holds the whole export of a manifest, with this standard (both SHA-256)."""
    manifest = verified_manifest(folder) if folder.is_dir() else None
    found = manifest and (manifest.get("manifest"), (manifest.get("photographs") or {}).get("standard"))
    return found == (digest, photographs)


def _export(artifacts: Path, release: Release, folder: Path, more: list[str]) -> None:
    """Write the export, in place of one that is damaged; it is ours, and made again at any time."""
    shutil.rmtree(folder, ignore_errors=True)
    words = ["export", release.version, "--format", "onnx", "--artifacts", str(artifacts), "--out", str(folder), *more]
    done = subprocess.run(
        [sys.executable, "-m", "kensa", *words],
        env={**os.environ, "KENSA_LOG_FORMAT": "text"},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is for the service, which ends in order
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("kensa: ")
        raise NotServable(f"{release.version}: expected a release that can be exported, found: {one_line(reason)}")


def _open(release: Release, digest: str, folder: Path) -> ServedRelease:
    from tasks.scoring.standalone import Inspector  # it imports ONNX Runtime, which is an extra

    data = DataConfig(**release.manifest.config["data"])
    # One thread a call: requests are judged side by side, and threads of one would wait for those of another.
    inspector = Inspector(folder / "model.onnx", threads=1)
    standard, reason = folder / STANDARD_FILE if "photographs" in inspector.facts else None, ""
    if standard is None:
        carries = (release.path / STANDARD_FILE).is_file()
        reason = f"{release.version} {MISSING_OPENCV if carries else MISSING_STANDARD}"
    served = ServedRelease(release.version, digest, data, inspector, standard, reason)
    served.judge(np.zeros((1, data.rows * data.cols), np.float32))  # the first call is slow: not somebody's part
    return served
