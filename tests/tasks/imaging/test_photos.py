"""Photographs to maps, by real files: labels, sizes, depths, colours, registration, a standard used again, mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

cv2 = pytest.importorskip("cv2", reason="needs kensa[photos]")

from tasks.core.errors import UnfitStandard, UnreadablePhotos, UnusableFolder  # noqa: E402
from tasks.imaging import rt  # noqa: E402
from tasks.imaging.demo import demo_grid, demo_photographs, good_photographs, record_names  # noqa: E402
from tasks.imaging.demo_files import write_demo  # noqa: E402
from tasks.imaging.photos import list_photos, read_photo  # noqa: E402
from tasks.imaging.registration import register  # noqa: E402
from tasks.imaging.standard import MapOptions, make_standard, read_standard  # noqa: E402
from tasks.imaging.windows import PEDESTAL, fit_windows, rt_maps  # noqa: E402
from tasks.maps import make_maps  # noqa: E402

ASKED = MapOptions(rows=6, cols=8, register="none")
NAMES = record_names(8, 2)


def put(folder, photos, names=None):
    """Grey values 0..1 as PNG files of 8 bits."""
    for i, photo in enumerate(photos):
        path = folder / (names[i] if names else f"{i:03d}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.round(photo * 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def parts():
    return demo_photographs(NAMES)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return put(tmp_path_factory.mktemp("standard"), good_photographs(20))


def moved(photo, right, down, turn):
    height, width = photo.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1)
    matrix[:, 2] += (right, down)
    return cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def test_unregistered_maps_are_those_of_the_demonstration_part(tmp_path, parts):
    """Files of 8 bits hold what the demonstration part draws, so its own grid gives the same maps."""
    good = put(tmp_path / "good", good_photographs(200))
    put(tmp_path / "new", parts)
    made = make_maps(tmp_path / "new", good, tmp_path / "out", MapOptions(register="none"), "good", 0.1)
    assert made.records == len(NAMES)
    found = np.array(pq.read_table(tmp_path / "out" / "maps.parquet")["map"].to_pylist(), np.float32)
    np.testing.assert_allclose(found.reshape(-1, 36, 39), rt_maps(parts, demo_grid()), rtol=1e-3, atol=1e-4)


def test_a_colour_window_holds_all_channels():
    """A change of colour alone, at the same grey: seen by the values of all channels and not by their mean."""
    rng = np.random.default_rng(0)
    good = rng.uniform(0.3, 0.7, (1, 12, 16, 3)) * rng.normal(1, 0.02, (30, 1, 1, 1)) + rng.normal(
        0, 0.01, (30, 12, 16, 3)
    )
    odd = good[:1].copy()
    odd[0, 4:6, 4:6] += np.array([0.2, -0.1, -0.1])
    colour = rt_maps(odd, fit_windows(good, 6, 8))[0]
    grey = rt_maps(odd.mean(axis=3), fit_windows(good.mean(axis=3), 6, 8))[0]
    assert colour[2, 2] > 5 * np.median(colour)
    assert grey[2, 2] < 5 * np.median(grey)
    window = good[:, 4:6, 4:6].reshape(30, 12) + PEDESTAL
    space = rt.fit(window, ridge=(1 / 255) ** 2 / np.square(window.mean(axis=0)).sum())
    assert colour[2, 2] == pytest.approx(rt.distance(odd[:, 4:6, 4:6].reshape(1, 12) + PEDESTAL, space)[0], rel=1e-4)


@pytest.mark.parametrize(("right", "down", "turn"), [(0, 0, 0), (5, -4, 0), (-3, 2, 2.5), (6, 6, -3)])
def test_a_moved_part_is_brought_back(parts, right, down, turn):
    mean = good_photographs(20).mean(axis=0)
    still, there = register(parts[0], mean, "rigid", 12, 6)
    back, move = register(moved(parts[0], right, down, turn), mean, "rigid", 12, 6)
    assert move.registered
    assert move.turn - there.turn == pytest.approx(-turn, abs=0.1)
    assert np.abs(back - still)[10:-10, 10:-10].mean() < 0.006


def test_what_lies_too_far_or_shows_something_else_is_said_and_left(parts):
    mean = good_photographs(20).mean(axis=0)
    far = moved(parts[0], 9, 0, 0)
    back, move = register(far, mean, "rigid", 4, 6)
    assert not move.registered
    np.testing.assert_array_equal(back, far)
    noise = np.random.default_rng(0).uniform(0, 1, mean.shape).astype(np.float32)
    assert not register(noise, mean, "rigid", 12, 6)[1].registered
    assert not register(np.zeros_like(mean), mean, "rigid", 12, 6)[1].registered


def test_subfolders_name_the_modes(tmp_path, parts, standard):
    names = [f"{'fine' if mode == 0 else mode}/{number}.png" for mode, number in NAMES]
    made = make_maps(put(tmp_path / "new", parts, names), standard, tmp_path / "out", ASKED, "fine", 1)
    assert made.modes["fine"] == 8
    table = pq.read_table(tmp_path / "out" / "maps.parquet").to_pylist()
    assert {(row["label"] == "0") == (row["fmode"] == "fine") for row in table} == {True}
    assert all(row["file"].split("/")[0] == row["fmode"] for row in table)


def test_a_table_names_labels_modes_and_groups(tmp_path, parts, standard):
    folder = put(tmp_path / "new", parts[:3])
    (folder / "labels.csv").write_text("file,label,fmode,group\n000.png,0,none,A\n001.png,1,dent,A\n002.png,1,dent,B\n")
    make_maps(folder, standard, tmp_path / "out", ASKED, "good", 1)
    table = pq.read_table(tmp_path / "out" / "maps.parquet").to_pylist()
    assert [(row["label"], row["fmode"], row["group"]) for row in table] == [
        ("0", "none", "A"),
        ("1", "dent", "A"),
        ("1", "dent", "B"),
    ]


def test_a_standard_is_used_again_as_it_is(tmp_path, parts, standard):
    new = put(tmp_path / "new", parts[:4])
    make_maps(new, standard, tmp_path / "first", MapOptions(6, 8), "good", 1)
    make_maps(new, tmp_path / "first", tmp_path / "again", MapOptions(36, 39), "good", 1)
    assert read_standard(tmp_path / "first").asked == MapOptions(6, 8)
    first, again = (pq.read_table(tmp_path / name / "maps.parquet") for name in ("first", "again"))
    assert first["map"].to_pylist() == again["map"].to_pylist()


def test_photographs_of_the_standard_among_the_records_are_told(tmp_path, standard):
    made = make_maps(standard, standard, tmp_path / "out", ASKED, "good", 1)
    assert made.overlap == 20


def test_depths_and_channels(tmp_path):
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    cv2.imwrite(str(tmp_path / "deep.tiff"), grey)
    cv2.imwrite(str(tmp_path / "clear.png"), np.full((48, 64, 4), 128, np.uint8))
    deep, clear = (read_photo(photo) for photo in sorted(list_photos(tmp_path), key=lambda one: one.name)[::-1])
    np.testing.assert_allclose(deep, grey / 65535, rtol=1e-6)
    assert clear.shape == (48, 64, 3)


def test_larger_photographs_are_reduced_to_whole_windows(tmp_path, parts):
    large = put(tmp_path / "large", [cv2.resize(photo, (331, 307)) for photo in good_photographs(5)])
    made = make_standard(list_photos(large), MapOptions(6, 8, "none"))
    assert made.mean.shape == (48, 64)


def test_the_demonstration_photographs_are_written_once(tmp_path):
    write_demo(tmp_path)
    assert len(list((tmp_path / "photographs" / "good").iterdir())) == 120
    with pytest.raises(UnusableFolder, match="expected no such folder yet"):
        write_demo(tmp_path)


def broken(tmp_path, kind, parts):
    new, good = put(tmp_path / "new", parts[:3]), put(tmp_path / "good", good_photographs(4))
    whole = (new / "001.png").read_bytes()
    actions = {
        "none": lambda: [path.unlink() for path in new.iterdir()],
        "truncated": lambda: (new / "001.png").write_bytes(whole[: len(whole) // 2]),
        "text": lambda: (new / "001.png").write_text("no photograph"),
        "size": lambda: cv2.imwrite(str(new / "001.png"), np.zeros((50, 60), np.uint8)),
        "colour": lambda: cv2.imwrite(str(new / "001.png"), np.zeros((144, 156, 3), np.uint8)),
        "two": lambda: [path.unlink() for path in sorted(good.iterdir())[2:]],
        "flat": lambda: put(good, np.full((4, 144, 156), 0.5)),
        "beside": lambda: put(new / "good", parts[:1]),
        "unknown": lambda: (new / "labels.csv").write_text("file,label,fmode\nx.png,0,a\n"),
        "column": lambda: (new / "labels.csv").write_text("file,label\n000.png,0\n"),
        "twice": lambda: (new / "labels.csv").write_text("file,label,fmode\n" + "000.png,0,a\n" * 2),
        "unlisted": lambda: (new / "labels.csv").write_text("file,label,fmode\n000.png,0,a\n"),
        "standard": lambda: (good / "standard.npz").write_bytes(b"none"),
    }
    actions[kind]()
    return new, good


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("none", UnreadablePhotos, "expected photographs"),
        ("truncated", UnreadablePhotos, "001.png: expected a whole photograph"),
        ("text", UnreadablePhotos, "001.png: expected a photograph"),
        ("size", UnreadablePhotos, "expected 144×156 pixels in grey as the standard, found 50×60"),
        ("colour", UnreadablePhotos, "found 144×156 pixels in colour"),
        ("two", UnfitStandard, "at least 3 good photographs for a standard, found 2"),
        ("flat", UnfitStandard, "found flat ones"),
        ("beside", UnreadablePhotos, "expected all photographs in subfolders"),
        ("unknown", UnreadablePhotos, "found 'x.png', which is not there"),
        ("column", UnreadablePhotos, "found no fmode"),
        ("twice", UnreadablePhotos, "found '000.png' twice"),
        ("unlisted", UnreadablePhotos, "found no row for '001.png'"),
        ("standard", UnfitStandard, "expected a standard as kensa maps writes it"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, parts, kind, error, said):
    new, good = broken(tmp_path, kind, parts)
    with pytest.raises(error) as told:
        make_maps(new, good, tmp_path / "out", ASKED, "good", 0.1)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "good"}


def test_too_many_that_cannot_be_registered_are_the_cameras_fault(tmp_path, parts, standard):
    new = put(tmp_path / "new", [moved(photo, 11, 0, 0) for photo in parts[:5]])
    with pytest.raises(UnreadablePhotos, match="found 5 of 5"):
        make_maps(new, standard, tmp_path / "out", MapOptions(6, 8, "rigid", 3, 3), "good", 0.1)
    made = make_maps(new, standard, tmp_path / "out", MapOptions(6, 8, "rigid", 3, 3), "good", 1)
    assert len(made.unregistered) == 5
    assert pq.read_table(tmp_path / "out" / "maps.parquet")["registered"].to_pylist() == [False] * 5


def test_what_is_in_the_way_stays(tmp_path, parts, standard):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UnusableFolder, match="choose another --out"):
        make_maps(put(tmp_path / "new", parts[:3]), standard, tmp_path / "out", ASKED, "good", 1)
    assert [path.name for path in Path(tmp_path / "out").iterdir()] == ["mine.txt"]
