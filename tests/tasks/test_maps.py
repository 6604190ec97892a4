"""Photographs become a source of maps: by real files, with a standard that is used again, and mistakes in one line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.photographs import move, write_photographs

from tasks.core.errors import UnfitStandard, UnreadablePhotos, UnusableFolder
from tasks.imaging.demo import demo_photographs, good_photographs, record_names
from tasks.imaging.standard import MapOptions, read_standard
from tasks.maps import make_maps

pytest.importorskip("cv2", reason="needs the extra photos")

OPTIONS = MapOptions(rows=6, cols=8, register="none")
NAMES = record_names(4, 1)


@pytest.fixture(scope="module")
def photos():
    return demo_photographs(NAMES)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("standard"), good_photographs(8))


def rows_of(folder):
    return pq.read_table(folder / "maps.parquet").to_pylist()


def test_subfolders_name_the_modes(tmp_path, photos, standard):
    names = [f"{'fine' if mode == 0 else mode}/{number}.png" for mode, number in NAMES]
    new, out = write_photographs(tmp_path / "new", photos, names), tmp_path / "out"
    result = make_maps(new, standard, out, OPTIONS, "fine")
    assert (result.records, result.modes["fine"], result.standard, result.overlap) == (13, 4, 8, 0)
    rows = rows_of(out)
    assert {(row["label"] == "0") == (row["fmode"] == "fine") for row in rows} == {True}
    assert all(row["file"].split("/", maxsplit=1)[0] == row["fmode"] for row in rows)
    assert {path.name for path in out.iterdir()} == {"README.md", "maps.parquet", "maps.png", "standard.npz"}
    card = (out / "README.md").read_text()
    assert '"data_files": "maps.parquet"' in card
    assert '| "fine" | 4 |' in card


def test_a_standard_in_the_folder_of_the_photographs_takes_its_good_parts(tmp_path, photos, standard):
    names = [f"{'good' if mode == 0 else mode}/{number}.png" for mode, number in NAMES]
    new = write_photographs(tmp_path / "new", photos, names)
    (new / "note.gif").write_text("x")
    result = make_maps(new, new, tmp_path / "out", OPTIONS)
    assert (result.standard, result.overlap, result.unread) == (4, 4, ("note.gif",))


def test_a_table_gives_the_groups(tmp_path, photos, standard):
    new = write_photographs(tmp_path / "new", photos[:2])
    (new / "labels.csv").write_text("file,label,fmode,group\n000.png,0,none,A\n001.png,1,dent,B\n")
    make_maps(new, standard, tmp_path / "out", OPTIONS)
    assert [(row["label"], row["fmode"], row["group"]) for row in rows_of(tmp_path / "out")] == [
        ("0", "none", "A"),
        ("1", "dent", "B"),
    ]


def test_without_labels_there_are_no_columns_for_them(tmp_path, photos, standard):
    make_maps(write_photographs(tmp_path / "new", photos[:2]), standard, tmp_path / "out", OPTIONS)
    assert set(rows_of(tmp_path / "out")[0]) == {"map", "file", "registered"}


def test_a_standard_is_used_again_as_it_is(tmp_path, photos, standard):
    new = write_photographs(tmp_path / "new", photos[:3])
    make_maps(new, standard, tmp_path / "first", MapOptions(6, 8))
    make_maps(new, tmp_path / "first", tmp_path / "again", MapOptions(36, 39))
    assert read_standard(tmp_path / "again").options == MapOptions(6, 8)
    first, again = ([row["map"] for row in rows_of(tmp_path / name)] for name in ("first", "again"))
    assert first == again


def test_photographs_of_the_standard_among_the_records_are_counted(tmp_path, standard):
    assert make_maps(standard, standard, tmp_path / "out", OPTIONS).overlap == 8


@pytest.mark.parametrize(
    ("break_it", "error", "text"),
    [
        (lambda new, good: [path.unlink() for path in new.iterdir()], UnreadablePhotos, "expected photographs"),
        (lambda new, good: (new / "001.png").write_text("text"), UnreadablePhotos, "001.png: expected a photograph"),
        (lambda new, good: (good / "standard.npz").write_bytes(b"none"), UnfitStandard, "expected a standard as kensa"),
    ],
    ids=["none", "text", "standard"],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, photos, break_it, error, text):
    new = write_photographs(tmp_path / "new", photos[:2])
    good = write_photographs(tmp_path / "good", good_photographs(3))
    break_it(new, good)
    with pytest.raises(error, match=text) as raised:
        make_maps(new, good, tmp_path / "out", OPTIONS)
    assert "\n" not in str(raised.value)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "good"}


def test_too_many_unregistered_photographs_point_to_the_camera(tmp_path, photos, standard):
    new = write_photographs(tmp_path / "new", [move(photo, 11, 0) for photo in photos[:3]])
    options = MapOptions(6, 8, "rigid", 3, 3)
    with pytest.raises(UnreadablePhotos, match="found 3 of 3"):
        make_maps(new, standard, tmp_path / "out", options)
    result = make_maps(new, standard, tmp_path / "out", options, max_unregistered=1)
    assert len(result.unregistered) == 3
    assert [row["registered"] for row in rows_of(tmp_path / "out")] == [False] * 3
    json.dumps(result.as_json())


def test_a_folder_with_something_in_it_stays(tmp_path, photos, standard):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UnusableFolder, match="choose another --out"):
        make_maps(write_photographs(tmp_path / "new", photos[:3]), standard, tmp_path / "out", OPTIONS)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_workers_write_the_same_maps(tmp_path, photos, standard, workers):
    names = [f"{mode or 'good'}/{number}-{i}.png" for i in range(12) for mode, number in NAMES]
    new = write_photographs(tmp_path / "new", np.concatenate([photos] * 12), names)
    results = [
        make_maps(new, standard, tmp_path / name, OPTIONS, dask=dask)
        for name, dask in (("here", None), ("there", workers))
    ]
    assert replace(results[0], path="") == replace(results[1], path="")
    for name in ("maps.parquet", "standard.npz", "maps.png", "README.md"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_maps_of_good_parts_are_small_and_of_defects_large(tmp_path, photos, standard):
    make_maps(write_photographs(tmp_path / "new", photos), standard, tmp_path / "out", OPTIONS)
    peaks = np.array([max(row["map"]) for row in rows_of(tmp_path / "out")])
    assert np.median(peaks[4:]) > np.median(peaks[:4])
