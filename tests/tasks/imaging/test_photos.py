"""Photographs by real files: names, labels, depths, colours, and every mistake in one line."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.photographs import write_photographs

from tasks.core.errors import UnfitStandard, UnreadablePhotos
from tasks.imaging import photos
from tasks.imaging.photos import content_digest, list_photos, list_standard, read_photo, resize, unread_images

cv2 = pytest.importorskip("cv2", reason="needs the extra photos")

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


@pytest.mark.parametrize(
    ("folders", "good", "labels"),
    [
        (("OK", "NG"), "OK", {"OK": "0", "NG": "1"}),
        (("良品", "不良"), "良品", {"良品": "0", "不良": "1"}),
        (("Good", "scratch"), "good", {"Good": "0", "scratch": "1"}),
        (("good", "GOOD"), "good", {"good": "0", "GOOD": "1"}),
        (("dent", "scratch"), "none", {"dent": "1", "scratch": "1"}),
        (("train/good", "test/good", "test/scratch"), "good", {"good": "0", "scratch": "1"}),
        (("がり", "良品"), unicodedata.normalize("NFD", "がり"), {"がり": "0", "良品": "1"}),
    ],
)
def test_the_good_folder_in_the_words_of_people(tmp_path, folders, good, labels):
    write_photographs(tmp_path, GREY[: len(folders)], [f"{folder}/1.png" for folder in folders])
    listed = list_photos(tmp_path, good)
    assert len(listed) == len(folders)
    assert {photo.mode: photo.label for photo in listed} == labels


@pytest.mark.parametrize("folders", [("OK", "NG"), ("train/OK", "test/NG"), ("train", "test")])
def test_subfolders_of_which_none_is_good_are_refused(tmp_path, folders):
    write_photographs(tmp_path, GREY[: len(folders)], [f"{folder}/1.png" for folder in folders])
    with pytest.raises(
        UnreadablePhotos, match=r"expected a subfolder good .*, found .*; name it with --good, or --good none"
    ):
        list_photos(tmp_path)


def test_a_standard_takes_good_parts_alone(tmp_path):
    write_photographs(tmp_path / "a", GREY[:2], ["good/1.png", "scratch/2.png"])
    write_photographs(tmp_path / "b", GREY, ["test/good/1.png", "train/good/2.png", "test/scratch/3.png"])
    write_photographs(tmp_path / "c", GREY[:2], ["1.png", "2.png"])
    (tmp_path / "c" / "labels.csv").write_text("file,label,fmode\n1.png,1,dent\n2.png,0,none\n")
    write_photographs(tmp_path / "d", GREY[:2], ["1.png", "2.png"])
    names = {name: [photo.name for photo in list_standard(tmp_path / name)] for name in "abcd"}
    assert names == {"a": ["good/1.png"], "b": ["train/good/2.png"], "c": ["2.png"], "d": ["1.png", "2.png"]}


def test_what_gives_no_standard_is_told(tmp_path):
    write_photographs(tmp_path, GREY[:2], ["lot1/1.png", "lot2/2.png"])
    with pytest.raises(UnfitStandard, match=r"--standard: .* expected a subfolder good .*, found lot1, lot2"):
        list_standard(tmp_path)
    with pytest.raises(UnfitStandard, match=r"^1.png is a photograph; --standard takes a folder of good ones"):
        list_standard(tmp_path / "lot1" / "1.png")


def test_hidden_files_and_masks_are_no_photographs_and_other_images_are_named(tmp_path):
    names = ["good/1.png", "good/._1.png", ".thumbnails/1.png", "ground_truth/scratch/1_mask.png"]
    write_photographs(tmp_path, [*GREY, GREY[0]], names)
    for name in ("good/a.HEIC", "good/b.gif"):
        (tmp_path / name).write_text("x")
    assert [photo.name for photo in list_photos(tmp_path)] == ["good/1.png"]
    assert unread_images(tmp_path) == ("good/a.HEIC", "good/b.gif", "ground_truth/scratch/1_mask.png")


def test_a_table_names_labels_modes_and_groups(tmp_path):
    write_photographs(tmp_path, GREY)
    table = "file,label,fmode,group\n000.png,0,none,A\n002.png,1,dent,\n001.png,1,dent,B\n"
    (tmp_path / "labels.csv").write_text(table)
    assert [(photo.name, photo.label, photo.mode, photo.group) for photo in list_photos(tmp_path)] == [
        ("000.png", "0", "none", "A"),
        ("002.png", "1", "dent", None),
        ("001.png", "1", "dent", "B"),
    ]


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


def test_half_a_jpeg_is_refused(tmp_path):
    """OpenCV reads it, with grey where the rest would be."""
    Image.fromarray(np.uint8(GREY[0] * 255)).save(tmp_path / "p.jpg")
    whole = (tmp_path / "p.jpg").read_bytes()
    assert read_photo(list_photos(tmp_path)[0]).shape == (48, 64)
    (tmp_path / "p.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(UnreadablePhotos, match=r"p.jpg: expected a photograph, found none: .*truncated"):
        read_photo(list_photos(tmp_path)[0])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16"])
def test_grey_in_every_form_is_one_channel(tmp_path, mode):
    grey = Image.fromarray(np.uint8(GREY[0] > 0.5) * 255)
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / "p.png")
    values = read_photo(list_photos(tmp_path)[0])
    np.testing.assert_array_equal(values, np.asarray(grey) / 255)


def test_grey_in_webp_and_colours_in_a_palette(tmp_path):
    Image.fromarray(np.full((8, 8), 100, np.uint8)).save(tmp_path / "a.webp", lossless=True)
    Image.new("P", (8, 8), 1).save(tmp_path / "b.png")
    colours = Image.new("P", (8, 8), 1)
    colours.putpalette([0, 0, 0, 255, 0, 0])
    colours.save(tmp_path / "b.png")
    assert [read_photo(photo).shape for photo in list_photos(tmp_path)] == [(8, 8), (8, 8, 3)]


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright_as_exif_says(tmp_path, kind, orientation):
    values = np.zeros((16, 24), np.uint8)
    values[:8, :8], values[8:, 16:] = 250, 120
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / f"p.{kind}", exif=exif)
    Image.fromarray(values).save(tmp_path / "twin", "png", exif=exif)  # Pillow itself turns TIFF otherwise
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "twin")))
    np.testing.assert_allclose(read_photo(list_photos(tmp_path)[0]), upright / 255, atol=0.02)


@pytest.mark.parametrize("kind", ["tif", "webp", "png"])
def test_several_pages_are_refused(tmp_path, kind):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 200)]
    pages[0].save(tmp_path / f"p.{kind}", save_all=True, append_images=pages[1:])
    with pytest.raises(UnreadablePhotos, match=rf"p.{kind}: expected one photograph, found 2 pages; save each page"):
        read_photo(list_photos(tmp_path)[0])


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.write_text("no photograph"), "expected a photograph"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "expected a (whole )?photograph"),
        (
            lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
            "expected a photograph, found a poin",
        ),
        (lambda path: None, "expected at most 100 pixels, found 3,072"),
    ],
    ids=["text", "truncated", "pointer", "large"],
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
