"""`kensa reproduce` by the real command: the release comes out again, and nothing but a verdict is left."""

from __future__ import annotations

import json
import shutil

import pytest
from support.releases import NO_DRAFTS

from tasks.core.stages import MANIFEST, digests, seal_folder
from tasks.registry.reproduction import DECIDING_METRICS


@pytest.fixture
def copied(boards, a_place, tmp_path):
    """A folder with the release of the boards, to be changed, and the same way to the Hub and the server."""
    place = a_place(tmp_path / "place", {**boards.place.env})
    shutil.copytree(boards.place.folder / "artifacts", place.folder / "artifacts")
    return place


def resealed(place, change):
    folder = place.folder / "artifacts" / "releases" / "v1"
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["files"]
    change(manifest)
    seal_folder(folder, manifest)


@pytest.mark.slow
def test_a_release_comes_out_again_bit_for_bit(boards, copied):
    """From the Hub at its commit, though the branch moved on; nothing is changed and nothing is left."""
    before = digests(copied.folder / "artifacts")
    done = copied.kensa("reproduce", "v1", "--json")
    assert done.code == 0, done.err
    told = done.told
    assert (told["verdict"], told["release"], told["differences"]) == ("equal", "v1", [])
    assert told["weights"]["again"] == told["weights"]["release"]
    assert told["figures"]["auroc"]["again"] == boards.first.told["metrics"]["auroc"]
    assert digests(copied.folder / "artifacts") == before
    assert sorted(path.name for path in copied.folder.iterdir()) == ["artifacts", "home"]


@pytest.mark.slow
def test_on_another_backend_the_figures_decide(boards, copied):
    """JAX draws other weights. Caches are taken from a folder, in which no model is left."""
    data = shutil.copytree(boards.place.folder / "data", copied.folder / "data")
    before = digests(data)
    done = copied.kensa("reproduce", "v1", "--data", data, "--json", KERAS_BACKEND="jax")
    outside = [name for name in DECIDING_METRICS if not done.told["figures"][name]["within"]]
    assert (done.told["verdict"], done.code) == (("differs", 1) if outside else ("equivalent", 0)), done.err
    assert done.told["weights"]["again"] != done.told["weights"]["release"]
    assert "(another setting, stage version or Keras backend)" in done.told["differences"][1]
    after = digests(data)
    assert {name: after[name] for name in before} == before
    assert not [name for name in set(after) - set(before) if not name.startswith("heads/")]


@pytest.mark.slow
def test_a_source_that_is_gone_is_told_in_one_line(copied):
    resealed(copied, lambda manifest: manifest["train"].update(source="acme/nothing"))
    done = copied.kensa("reproduce", "v1")
    assert done.code == 2
    last = done.err.splitlines()[-1] if "Stopping" not in done.err.splitlines()[-1] else done.err.splitlines()[-2]
    assert last.startswith("kensa: v1: expected acme/nothing at ")
    assert "on which it was trained, to be available: acme/nothing@" in last
    assert "Traceback" not in done.err
    assert copied.left_over() == []


def test_an_unknown_release_is_told_before_prefect_starts(place, small_line):
    shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts", ignore=NO_DRAFTS)
    done = place.kensa("reproduce", "v9", imports=True)
    assert done.code == 2
    assert done.err == "kensa: v9: no such release in artifacts; there are v1\n"
    assert not {"prefect", "tensorflow"} & done.imported
