"""The demonstration part's photographs as files, written once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tasks.core.errors import UnusableFolder
from tasks.imaging import demo_files
from tasks.imaging.demo import demo_photographs, good_photographs
from tasks.imaging.demo_files import write_demo


@pytest.fixture(autouse=True)
def few_photographs(monkeypatch):
    for name, count in (("GOOD", 3), ("PER_MODE", 1), ("STANDARD", 2)):
        monkeypatch.setattr(demo_files, name, count)


def read(path):
    return np.asarray(Image.open(path), np.float32) / 255


def test_the_demonstration_photographs_are_written_once(tmp_path):
    folders = write_demo(tmp_path)
    assert folders == {name: str(tmp_path / name) for name in ("photographs", "standard")}
    modes = sorted(path.name for path in (tmp_path / "photographs").iterdir())
    assert modes == [*map(str, range(1, 10)), "good"]
    np.testing.assert_allclose(read(tmp_path / "photographs" / "good" / "002.png"), demo_photographs([(0, 2)])[0])
    np.testing.assert_allclose(read(tmp_path / "standard" / "001.png"), good_photographs(2)[1])
    with pytest.raises(UnusableFolder, match="expected no such folder yet"):
        write_demo(tmp_path)
