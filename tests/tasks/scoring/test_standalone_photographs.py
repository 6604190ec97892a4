"""The program that measures photographs beside an export: maps as `kensa maps` has them, from every form of file."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.photographs import move, small_standard

from tasks.imaging.demo import demo_photographs
from tasks.imaging.photos import Photo
from tasks.imaging.standard import read_standard
from tasks.scoring import standalone_photographs
from tasks.scoring.standalone_photographs import Measured, Standard, read_head

PHOTO = demo_photographs([(5, 0)])[0]
FORMS = [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".bmp", 8), (".jpg", 8)]
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6)
BYTES = np.round(PHOTO * 255).astype(np.uint8)
TURNED = {6: np.rot90, 3: lambda values: np.rot90(values, 2)}  # what EXIF's orientation undoes


@pytest.fixture(scope="module", params=["grey", "colour"])
def folder(request, tmp_path_factory):
    return small_standard(tmp_path_factory.mktemp("standard"), colour=request.param == "colour")


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return Standard(small_standard(tmp_path_factory.mktemp("grey")) / "standard.npz")


def saved(values, form="PNG", **options):
    """The bytes of a file as Pillow writes it."""
    file = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(file, form, **options)
    return file.getvalue()


def same(standard, folder, content, tmp_path):
    """Whether program and `kensa maps` measure a file alike."""
    path = tmp_path / "photograph"
    path.write_bytes(content)
    expected, found = read_standard(folder).to_map(Photo(path, path.name)), standard.measure(content)
    np.testing.assert_allclose(found.map, expected.map, rtol=1e-6, atol=1e-6)
    assert found.map.dtype == np.float32
    assert found.registered == expected.alignment.registered
    return found


@pytest.mark.parametrize(("suffix", "bits"), FORMS)
@pytest.mark.parametrize("moved", [(0, 0, 0), (4, -3, 2), (0, 0, 60)], ids=["as it lies", "moved", "too far"])
def test_every_form_is_measured_as_kensa_maps_does(folder, tmp_path, suffix, bits, moved):
    standard = Standard(folder / "standard.npz")
    part = move(PHOTO, *moved)
    part = part if standard.channels == 1 else np.stack([part, part**1.2, part * 0.9], axis=-1)
    values = np.round(np.clip(part, 0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    found = same(standard, folder, cv2.imencode(suffix, values)[1].tobytes(), tmp_path)
    assert found.registered == (moved[2] != 60)


@pytest.mark.parametrize("register", ["none", "shift"])
def test_other_registrations_are_the_standards(tmp_path, register):
    folder = small_standard(tmp_path, register=register)
    content = cv2.imencode(".png", np.round(move(PHOTO, 4, -3, 2) * 255).astype(np.uint8))[1].tobytes()
    same(Standard(folder / "standard.npz"), folder, content, tmp_path)


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return tags


@pytest.mark.parametrize(
    "content",
    [
        saved(np.ascontiguousarray(TURNED[6](BYTES)), "JPEG", exif=exif(6), quality=95),
        saved(np.ascontiguousarray(TURNED[3](BYTES)), "PNG", exif=exif(3)),
        saved(np.ascontiguousarray(TURNED[6](BYTES)), "TIFF", tiffinfo={274: 6}),
        saved(Image.fromarray(BYTES).convert("P")),
        saved(Image.fromarray(BYTES).convert("P"), "TIFF"),
        saved(Image.fromarray(BYTES).convert("LA")),
        saved(BYTES, "TIFF", big_tiff=True),
        saved(BYTES, "JPEG", progressive=True),
    ],
    ids=["JPEG turned", "PNG turned", "TIFF turned", "palette", "TIFF palette", "alpha", "BigTIFF", "progressive"],
)
def test_what_cameras_and_programs_write_is_read_as_kensa_maps_reads_it(grey, tmp_path, content):
    folder = small_standard(tmp_path)
    assert same(grey, folder, content, tmp_path).registered


PAGES = {"save_all": True, "append_images": [Image.fromarray(BYTES)]}
XMP = b"<x:xmpmeta xmlns:tiff='...' tiff:Orientation='6'/>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a PNG, TIFF, BMP or JPEG file, found another"),
        (saved(BYTES, "WEBP"), "expected a PNG, TIFF, BMP or JPEG file"),
        (saved(BYTES)[:-30], "found the beginning of one"),
        (saved(BYTES, "JPEG")[:-30], "found the beginning of one"),
        (saved(BYTES, "TIFF")[:-200], "whole photograph"),
        (saved(BYTES, "BMP")[:500], "whole photograph"),
        (saved(BYTES, "TIFF", **PAGES), "expected one photograph, found 2 pages"),
        (saved(BYTES, "PNG", **PAGES), "expected one photograph, found 2 pages"),
        (saved(BYTES[:100]), "expected 144×156 pixels in grey as the standard, found 100×156 pixels"),
        (saved(np.ascontiguousarray(BYTES.T)), "expected 144×156 pixels in grey as the standard, found 156×144"),
        (saved(np.stack([BYTES] * 3, axis=-1)), "found 144×156 pixels in colour"),
        (saved(BYTES.astype(np.uint16) * 8), "10 to 14 bits in a file of 16"),
        (saved(BYTES, "JPEG", xmp=XMP), "save it upright"),
    ],
)
def test_what_does_not_fit_is_one_line(grey, content, message):
    with pytest.raises(ValueError, match=message) as error:
        grey.measure(content)
    assert "\n" not in str(error.value)


def test_a_photograph_that_claims_to_be_huge_is_refused_before_it_is_unpacked(grey, monkeypatch):
    content = bytearray(saved(BYTES))
    struct.pack_into(">II", content, 16, 100_000, 100_000)
    monkeypatch.setattr(standalone_photographs, "decode", None)
    with pytest.raises(ValueError, match="found 100000×100000 pixels"):
        grey.measure(bytes(content))


def test_a_directory_that_leads_into_itself_has_many_pages():
    content = bytearray(saved(BYTES, "TIFF"))
    first = struct.unpack_from("<I", content, 4)[0]
    entries = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * entries, first)
    assert read_head(bytes(content)).pages == 100


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "TIFF", "BMP", "JPEG"]), CHANGES)
def test_a_changed_head_is_measured_or_refused(grey, form, changes):
    content = bytearray(saved(BYTES, form))
    for place, value in changes:
        content[place] = value
    try:
        assert isinstance(grey.measure(bytes(content)), Measured)
    except ValueError as error:
        assert str(error)


def test_a_file_that_is_no_standard_is_refused(tmp_path):
    (tmp_path / "standard.npz").write_bytes(b"none")
    with pytest.raises(ValueError, match="expected a standard as kensa maps writes it, found none"):
        Standard(tmp_path / "standard.npz")
    small_standard(tmp_path)
    np.savez(tmp_path / "later.npz", **dict(np.load(tmp_path / "standard.npz")) | {"format": 2})
    with pytest.raises(ValueError, match="a later Kensa made it"):
        Standard(tmp_path / "later.npz")


def test_numpy_and_opencv_alone_are_imported():
    command = [sys.executable, "-X", "importtime", standalone_photographs.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"numpy", "cv2"} <= imported
    assert not imported & {"PIL", "tasks", "onnxruntime", "keras", "matplotlib"}
