"""`kensa export` by the real command: one line, one folder, and never two exports in one."""

from __future__ import annotations

import json
import shutil

import pytest
from support.releases import NO_DRAFTS


@pytest.fixture
def exporting(place, small_line):
    shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS)
    return place


@pytest.mark.slow
def test_a_release_leaves_the_house_and_the_second_time_it_is_there(exporting):
    done = exporting.kensa("export", "v1")
    assert done.code == 0, done.err
    folder = exporting.folder / "artifacts" / "exports" / "v1-onnx"
    assert done.out.startswith("exported: v1 as onnx in artifacts/exports/v1-onnx\n  the release's own verdicts on ")
    names = {"model.onnx", "facts.json", "parity.json", "verdict.py", "README.md", "manifest.json"}
    assert {path.name for path in folder.iterdir()} == names
    again = exporting.kensa("export", "v1", "--json").told
    parity = json.loads((folder / "parity.json").read_text())
    assert (again["status"], again["parity"]["records"]) == ("unchanged", parity["records"])
    assert exporting.left_over() == []


@pytest.mark.parametrize(
    ("words", "env", "line"),
    [
        (("v9",), {}, "kensa: v9: no such release in artifacts; there are v1"),
        pytest.param(
            *(("v1", "--out", "artifacts"), {}),
            "kensa: artifacts: expected an empty folder, or the same export of v1",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(("v1", "--standard", "none.npz"), {}),
            "kensa: none.npz: expected a standard as kensa maps writes it, found none",
            marks=pytest.mark.slow,
        ),
        (
            ("v1", "--format", "pickle"),
            {},
            "kensa: --format: expected onnx or savedmodel, found 'pickle'; see kensa export --help",
        ),
        pytest.param(
            *(("v1",), {"KERAS_BACKEND": "jax"}),
            "kensa: export: expected Keras on TensorFlow, found jax",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["release", "folder", "standard", "format", "backend"],
)
def test_bad_words_are_told_in_one_line(exporting, words, env, line):
    done = exporting.kensa("export", *words, **env)
    assert done.code == 2
    assert line in done.err
    assert "Traceback" not in done.err
    assert not (exporting.folder / "artifacts" / "exports").exists()
