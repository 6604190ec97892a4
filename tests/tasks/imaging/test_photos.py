"""Photographs by real files: names, labels, depths, colours, and every mistake in one line."""

from __future__ import annotations

import numpy as np
import pytest
from support.photographs import write_photographs

from tasks.core.errors import UnreadablePhotos
from tasks.imaging import photos
from tasks.imaging.photos import content_digest, list_photos, read_photo, resize

cv2 = pytest.importorskip("cv2", reason="needs kensa[photos]")

GREY = np.random.default_rng(0).integers(0, 256, (3, 48, 64)) / 255


def test_photographs_without_labels_are_listed_by_name(tmp_path):
    write_photographs(tmp_path, GREY, ["b.png", "a.bmp", "c.TIF"])
    (tmp_path / "notes.txt").write_text("no photograph")
    assert [(photo.name, photo.label, photo.mode) for photo in list_photos(tmp_path)] == [
        (name, None, None) for name in ("a.bmp", "b.png", "c.TIF")
    ]


def test_subfolders_name_the_modes(tmp_path):
    write_photographs(tmp_path, GREY, ["fine/1.png", "dent/2.png", "dent/deep/3.png"])
    assert [(photo.mode, photo.label) for photo in list_photos(tmp_path, "fine")] == [
        ("dent", "1"),
        ("dent", "1"),
        ("fine", "0"),
    ]


def test_a_table_names_labels_modes_and_groups(tmp_path):
    write_photographs(tmp_path, GREY)
    table = "file,label,fmode,group\n000.png,0,none,A\n002.png,1,dent,\n001.png,1,dent,B\n"
    (tmp_path / "labels.csv").write_text(table)
    assert [(photo.name, photo.label, photo.mode, photo.group) for photo in list_photos(tmp_path)] == [
        ("000.png", "0", "none", "A"),
        ("002.png", "1", "dent", None),
        ("001.png", "1", "dent", "B"),
    ]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("file,label,fmode\nx.png,0,a\n", "found 'x.png', which is not there"),
        ("file,label\n000.png,0\n", "found no fmode"),
        ("", "found no file, fmode, label"),
        ("file,label,fmode\n" + "000.png,0,a\n" * 2, "found '000.png' twice"),
        ("file,label,fmode\n000.png,0,a\n", "found no row for '001.png'"),
    ],
)
def test_a_table_must_list_the_photographs_of_its_folder(tmp_path, table, text):
    write_photographs(tmp_path, GREY)
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(UnreadablePhotos, match=text) as error:
        list_photos(tmp_path)
    assert "\n" not in str(error.value)


def test_folders_that_are_none_or_mixed_are_refused(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(UnreadablePhotos, match=r"expected (a folder of )?photographs"):
            list_photos(folder)
    write_photographs(tmp_path, GREY, ["good/1.png", "2.png", "good/3.png"])
    with pytest.raises(UnreadablePhotos, match=r"expected all photographs in subfolders .*, found 2\.png beside them"):
        list_photos(tmp_path)


def test_depths_and_channels_are_read_alike(tmp_path):
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    cv2.imwrite(str(tmp_path / "deep.tiff"), grey)
    cv2.imwrite(str(tmp_path / "clear.png"), np.full((48, 64, 4), 128, np.uint8))
    clear, deep = (read_photo(photo) for photo in list_photos(tmp_path))
    np.testing.assert_allclose(deep, grey / 65535, rtol=1e-6)
    assert clear.shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.write_text("no photograph"), "expected a photograph"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "expected a whole photograph"),
        (lambda path: None, "expected at most 100 pixels, found 3,072"),
    ],
    ids=["text", "truncated", "large"],
)
def test_what_is_no_whole_photograph_is_refused(tmp_path, monkeypatch, damage, text):
    write_photographs(tmp_path, GREY[:1])
    if "pixels" in text:
        monkeypatch.setattr(photos, "MAX_PIXELS", 100)
    damage(tmp_path / "000.png")
    with pytest.raises(UnreadablePhotos, match=f"000.png: {text}"):
        read_photo(list_photos(tmp_path)[0])


def test_photographs_are_reduced_by_area_means():
    np.testing.assert_allclose(resize(np.array([[0.0, 1, 2, 3], [4, 5, 6, 7]]), (1, 2)), [[2.5, 4.5]])
    photo = GREY[0]
    assert resize(photo, (48, 64)) is photo


def test_the_same_content_has_the_same_digest(tmp_path):
    write_photographs(tmp_path, [GREY[0], GREY[1], GREY[0]])
    first, second, again = map(content_digest, list_photos(tmp_path))
    assert first == again != second
