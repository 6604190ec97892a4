"""The standard that comes with a source is found and kept, and one that does not fit costs no training."""

from __future__ import annotations

import pytest
from support.photographs import small_standard

from tasks.config.run import DataConfig
from tasks.core.errors import UnfitStandard
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.sources.standards import find_standard, keep_standard, read_fitting_standard

DATA = DataConfig(rows=4, cols=5)


def downloaded(folder, *parts):
    return DownloadedSource(PinnedSource("s", "folder", str(folder), "a" * 40), str(folder), parts=parts)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return small_standard(tmp_path_factory.mktemp("standard"))


def test_it_lies_beside_the_tables(standard, tmp_path):
    assert find_standard(downloaded(standard)) == str(standard / "standard.npz")
    assert find_standard(downloaded(tmp_path)) is None
    assert find_standard(DownloadedSource(PinnedSource("demo", "demo", "demo", "a" * 40), "")) is None


def test_several_sources_have_one_where_all_have_the_same(standard, tmp_path, capsys):
    (tmp_path / "standard.npz").write_bytes((standard / "standard.npz").read_bytes())
    same = downloaded("", downloaded(standard), downloaded(tmp_path))
    assert find_standard(same) == str(standard / "standard.npz")
    (tmp_path / "standard.npz").write_bytes(b"another")
    assert find_standard(same) is None
    (tmp_path / "standard.npz").unlink()
    assert find_standard(same) is None
    assert capsys.readouterr().err.count("have not all the same standard") == 2


def test_it_is_kept_where_it_fits(standard, tmp_path, capsys):
    keep_standard(None, DATA, tmp_path)
    assert list(tmp_path.iterdir()) == []
    keep_standard(str(standard / "standard.npz"), DATA, tmp_path)
    assert (tmp_path / "standard.npz").read_bytes() == (standard / "standard.npz").read_bytes()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("case", ["size", "content", "gone"])
def test_one_that_does_not_fit_is_left_out_with_a_line(standard, tmp_path, capsys, case):
    place, data = standard / "standard.npz", DATA
    if case == "size":
        data = DataConfig(rows=6, cols=8)
        with pytest.raises(UnfitStandard, match="expected a standard of 6×8 maps, found one of 4×5"):
            read_fitting_standard(place, data)
    else:
        place = tmp_path / "other.npz"
        if case == "content":
            place.write_bytes(b"none")
    (tmp_path / "release").mkdir()
    keep_standard(str(place), data, tmp_path / "release")
    assert list((tmp_path / "release").iterdir()) == []
    assert "the release will take no photographs: " in capsys.readouterr().err
