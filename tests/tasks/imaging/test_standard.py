"""The standard: made of good photographs, read again as it was written, refused where it does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from support.photographs import write_photographs

from tasks.core.errors import BadSetting, UnfitStandard, UnreadablePhotos
from tasks.imaging import standard
from tasks.imaging.demo import demo_photographs, good_photographs
from tasks.imaging.photos import list_photos
from tasks.imaging.standard import MapOptions, make_standard, read_standard, write_standard
from tasks.imaging.windows import fit_windows, rt_maps

cv2 = pytest.importorskip("cv2", reason="needs the extra photos")

OPTIONS = MapOptions(rows=6, cols=8, register="none")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("good"), good_photographs(8))


def test_unregistered_maps_are_those_of_the_windows(tmp_path, good):
    """Files of 8 bits hold exactly what the demonstration part draws."""
    standard = make_standard(list_photos(good), MapOptions(register="none"))
    photos = demo_photographs([(0, 0), (5, 0)])
    listed = list_photos(write_photographs(tmp_path, photos))
    maps = np.stack([standard.to_map(photo).map for photo in listed])
    np.testing.assert_allclose(maps, rt_maps(photos, fit_windows(good_photographs(8))), rtol=1e-3, atol=1e-4)


def test_a_standard_is_read_as_it_was_written(tmp_path, good):
    standard = make_standard(list_photos(good), MapOptions(6, 8, "shift", 9, 3))
    write_standard(standard, tmp_path)
    for path in (tmp_path, tmp_path / "standard.npz"):
        again = read_standard(path)
        assert (again.options, again.original, again.photos) == (standard.options, (144, 156), standard.photos)
        np.testing.assert_array_equal(again.mean, standard.mean)
    photo = list_photos(good)[0]
    np.testing.assert_array_equal(again.to_map(photo).map, standard.to_map(photo).map)
    assert len(standard.photos) == 8


def test_larger_photographs_are_reduced_to_whole_windows(tmp_path):
    large = write_photographs(tmp_path, [cv2.resize(photo, (331, 307)) for photo in good_photographs(3)])
    assert make_standard(list_photos(large), OPTIONS).mean.shape == (48, 64)


@pytest.mark.parametrize(
    ("photos", "text"),
    [
        (np.full((4, 48, 64), 0.5), "found flat ones"),
        (np.random.default_rng(0).uniform(size=(2, 48, 64)), "at least 3 good photographs for a standard, found 2"),
        (np.random.default_rng(0).uniform(size=(3, 4, 64)), "two pixels a window or more for 6×8 maps"),
    ],
    ids=["flat", "two", "small"],
)
def test_photographs_that_give_no_standard_are_refused(tmp_path, photos, text):
    with pytest.raises(UnfitStandard, match=text):
        make_standard(list_photos(write_photographs(tmp_path, photos)), OPTIONS)


def test_photographs_of_nothing_in_common_cannot_be_registered(tmp_path):
    noise = np.random.default_rng(0).uniform(size=(4, 48, 64))
    with pytest.raises(UnfitStandard, match="that can be registered onto one another, found 0"):
        make_standard(list_photos(write_photographs(tmp_path, noise)), MapOptions(6, 8, "shift", 0.0, 0.0))


@pytest.mark.parametrize(
    ("photo", "text"),
    [
        (np.zeros((50, 60)), "expected 144×156 pixels in grey as the standard, found 50×60"),
        (np.zeros((144, 156, 3)), "found 144×156 pixels in colour"),
    ],
)
def test_photographs_of_another_size_are_refused(tmp_path, good, photo, text):
    standard = make_standard(list_photos(good), OPTIONS)
    with pytest.raises(UnreadablePhotos, match=text):
        standard.to_map(list_photos(write_photographs(tmp_path, [photo]))[0])


@pytest.mark.parametrize(
    ("standard_scale", "scale", "refused"),
    [
        (257, 16, True),
        (257, 64, True),
        (257, 257, False),
        (16, 16, False),
        (16, 257, False),
        (1, 16, True),
        (16, 1, True),
        (1, 0.1, False),
    ],
)
def test_other_depths_than_the_standards_are_refused(tmp_path, good, standard_scale, scale, refused):
    """Files of 16 bits hold 12 or 14, or all of them; a scale up to 1 is a file of 8 bits."""

    def saved(name, photos, scale):
        for i, photo in enumerate(photos):
            (tmp_path / name).mkdir(exist_ok=True)
            values = (photo * 255 * scale).astype(np.uint8 if scale <= 1 else np.uint16)
            cv2.imwrite(str(tmp_path / name / f"{i}.png"), values)
        return list_photos(tmp_path / name)

    standard = make_standard(saved("standard", good_photographs(4), standard_scale), OPTIONS)
    (photo,) = saved("new", demo_photographs([(0, 0)]), scale)
    if refused:
        with pytest.raises(
            UnreadablePhotos, match=r"0.png: expected values up to about .*10 to 14 bits in a file of 16"
        ):
            standard.to_map(photo)
    else:
        assert np.isfinite(standard.to_map(photo).map).all()


def test_a_file_that_is_no_standard_is_refused(tmp_path, good):
    (tmp_path / "standard.npz").write_bytes(b"none")
    with pytest.raises(UnfitStandard, match="expected a standard as kensa maps writes it"):
        read_standard(tmp_path)
    write_standard(make_standard(list_photos(good), OPTIONS), tmp_path)
    arrays = dict(np.load(tmp_path / "standard.npz"))
    np.savez(tmp_path / "standard.npz", **arrays | {"format": 2})
    with pytest.raises(UnfitStandard, match="a later Kensa made it"):
        read_standard(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": np.zeros((48, 3))}, "its arrays do not fit one another"),
        ({"V": np.zeros((47, 2, 2))}, "its arrays do not fit one another"),
        ({"mean": np.zeros((48, 63), np.float32)}, "its arrays do not fit one another"),
        ({"original": np.array([144])}, "its arrays do not fit one another"),
        ({"precision": np.full((48, 2, 2), np.nan)}, "not finite"),
        ({"rows": np.array(0)}, "rows"),
        ({"register": np.array("warp")}, "register"),
    ],
)
def test_a_standard_of_another_form_is_refused(tmp_path, good, change, message):
    """It may come with a stranger's dataset."""
    write_standard(make_standard(list_photos(good), OPTIONS), tmp_path)
    np.savez(tmp_path / "standard.npz", **dict(np.load(tmp_path / "standard.npz")) | change)
    with pytest.raises(UnfitStandard, match=message):
        read_standard(tmp_path)


def test_a_standard_that_would_fill_the_memory_is_refused_unread(tmp_path, good, monkeypatch):
    write_standard(make_standard(list_photos(good), OPTIONS), tmp_path)
    monkeypatch.setattr(standard, "MAX_STANDARD_BYTES", 1000)
    monkeypatch.setattr(standard.np, "load", None)
    with pytest.raises(UnfitStandard, match="bytes, more than 1,000"):
        read_standard(tmp_path)


def test_options_check_themselves():
    with pytest.raises(BadSetting, match="rows: expected at least 1 and at most 4096, found 0"):
        MapOptions(rows=0)
    with pytest.raises(BadSetting, match="register: expected 'none' or 'shift' or 'rigid'"):
        MapOptions(register="warp")
