"""A line with two releases that an earlier Kensa made, v1 and v2, and the exports by which they are served."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.project import ROOT

from tasks.config.run import DataConfig


@dataclass(frozen=True)
class OldLine:
    """Its artifacts, its parts as a file, and their maps (600, 20) float32."""

    artifacts: Path
    parts: Path
    maps: np.ndarray


@pytest.fixture(scope="session")
def old_line(tmp_path_factory):
    """The champion is v2, which is v1 with another threshold; one for all tests: leave v2 the champion."""
    folder = tmp_path_factory.mktemp("old-line")
    with tarfile.open(ROOT / "tests" / "samples" / "made-at-8cd46b7.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    parts = folder / "parts" / "parts.parquet"
    table = pq.read_table(parts)
    maps = np.array(table["map"].to_pylist(), np.float32)
    return OldLine(folder / "artifacts", parts, maps)


@pytest.fixture(scope="session")
def opened(old_line):
    """Both releases as they are served."""
    from kensa.serving.served_release import open_release

    return {version: open_release(old_line.artifacts, version) for version in ("v1", "v2")}


@pytest.fixture
def data():
    """How tables of 2 × 3 maps are read."""
    return DataConfig(rows=2, cols=3)
