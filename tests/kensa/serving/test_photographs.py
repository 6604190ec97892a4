"""Photographs over HTTP: the forms of a body, what is refused, and the verdicts of `kensa maps` and `kensa score`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from support.photographs import carry_standard, move, small_standard, write_photographs
from support.releases import NO_DRAFTS
from support.serving import VerdictService

from kensa.serving import photographs
from kensa.serving.bodies import MULTIPART, Refused
from kensa.serving.photographs import read_photographs
from kensa.serving.served_release import NUMBERS
from kensa.serving.table_process import TableReaders
from tasks.imaging.demo import demo_photographs

PHOTOS = [*demo_photographs([(0, 0), (5, 0), (9, 1)]), move(demo_photographs([(1, 3)])[0], 3, 2, 2)]
PHOTOS.append(move(PHOTOS[0], 0, 0, 60))  # cannot be aligned


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return small_standard(tmp_path_factory.mktemp("standard"))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The photographs as files, by name."""
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), PHOTOS)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def form(*files):
    """Content-Type and body of a form with these (name, content)."""
    request = httpx.Request("POST", "http://host", files=[("photograph", file) for file in files])
    return request.headers["Content-Type"], request.read()


def test_one_as_it_is_or_several_as_a_form_give_the_same_maps(standard, files):
    parts = read_photographs(*form(*files.items()), standard / "standard.npz")
    assert (parts.names, parts.registered) == (list(files), [True, True, True, True, False])
    for number, content in enumerate(files.values()):
        alone = read_photographs("image/png", content, standard / "standard.npz")
        assert (alone.maps == parts.maps[number : number + 1]).all()
        assert (alone.names, len(alone.registered)) == (None, 1)
    named = read_photographs(*form(("C:\\line\\A-17.png", content)), standard / "standard.npz")
    assert named.names == ["A-17.png"]


FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--'


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (lambda good: ("image/png", b"none"), 422, "photograph 0: expected a PNG, TIFF, BMP or JPEG file"),
        (lambda good: form(("a.png", good), ("b.png", good[:50])), 422, r"photograph 1 \(b.png\): expected a whole"),
        (lambda good: (MULTIPART, good), 400, "expected multipart/form-data with its boundary"),
        (lambda good: (f"{MULTIPART}; boundary=x", b"--y"), 400, "expected multipart/form-data with its boundary"),
        (lambda good: (f"{MULTIPART}; boundary=x", b"--x--\r\n"), 422, "found none"),
        (lambda good: form(("n" * 201, good)), 422, "expected names of at most 200 characters"),
        (lambda good: (f"{MULTIPART}; boundary=x", FIELD), 422, "expected files alone"),
    ],
)
def test_what_is_refused(standard, files, body, status, message):
    with pytest.raises(Refused, match=message) as refused:
        read_photographs(*body(files["000.png"]), standard / "standard.npz")
    assert refused.value.status == status


def test_so_many_in_one_request(standard, files, monkeypatch):
    monkeypatch.setattr(photographs, "MOST_PHOTOGRAPHS", 2)
    some = [*files.items()]
    assert len(read_photographs(*form(*some[:2]), standard / "standard.npz").maps) == 2
    with pytest.raises(Refused, match="at most 2 photographs in one request") as refused:
        read_photographs(*form(*some[:3]), standard / "standard.npz")
    assert refused.value.status == 413


def test_a_child_reads_them(standard, files):
    readers = TableReaders()
    try:
        parts = readers.read_photographs(*form(*files.items()), standard / "standard.npz")
        assert len(parts.maps) == len(files)
        with pytest.raises(Refused, match="photograph 0"):
            readers.read_photographs("image/png", b"none", standard / "standard.npz")
        assert len(readers.readers) == 1
    finally:
        readers.close()


@pytest.fixture(scope="module")
def line(small_line, standard, tmp_path_factory):
    """The artifacts of a line whose release carries a standard."""
    artifacts = tmp_path_factory.mktemp("photographed") / "artifacts"
    shutil.copytree(small_line.artifacts_path, artifacts, ignore=NO_DRAFTS)
    carry_standard(artifacts, standard)
    return artifacts


def kensa(*words):
    command = [sys.executable, "-m", "kensa", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_photograph_gets_one_verdict_on_every_way(line, standard, files, tmp_path):
    """Posted to the service, through the export's own program, and through kensa maps and kensa score."""
    photos = write_photographs(tmp_path / "photos", PHOTOS)
    kensa("maps", photos, "--standard", standard, "--out", tmp_path / "maps", "--most-unregistered", 1)
    kensa("score", tmp_path / "maps", "--artifacts", line, "--out", tmp_path / "scored.parquet")
    expected = pq.read_table(tmp_path / "scored.parquet").to_pylist()
    with VerdictService(tmp_path, line) as service:
        content, kind = form(*files.items())[::-1]
        answer = service.post(content, kind)
        assert answer.status_code == 200, answer.text
        served = answer.json()["verdicts"]
        single = service.post(files["001.png"], "image/png").json()["verdicts"]
        assert service.get("/v1/release").json()["photographs"]["height"] == 144
        kinds = service.get("/openapi.json").json()["paths"]["/v1/verdicts"]["post"]["requestBody"]["content"]
        assert {MULTIPART, "image/png", "image/tiff", "image/bmp"} <= set(kinds)
        assert 'kensa_serve_unregistered_total{release="v1"} 1.0' in service.get("/metrics").text
    assert [row["part"] for row in served] == list(files)
    assert [row["registered"] for row in served] == [True, True, True, True, False]
    (folder,) = line.glob("exports/serve-v1-*")
    program = [sys.executable, str(folder / "verdict.py"), *(str(photos / name) for name in files)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=tmp_path)
    alone = [json.loads(row) for row in done.stdout.splitlines()]
    for rows in (served, alone):
        assert [row["registered"] for row in rows] == [True, True, True, True, False]
        for name in ("verdict", "mode"):
            assert [row[name] for row in rows] == [row[name] for row in expected]
        for name in NUMBERS:
            found, then = ([row[name] for row in each] for each in (rows, expected))
            np.testing.assert_allclose(found, then, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(single[0]["score"], served[1]["score"], rtol=1e-6)
