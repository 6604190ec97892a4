"""The step `export`: kept only where the file says what the release says, and never over something else."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from support.photographs import carry_standard, small_standard
from support.project import ROOT
from support.releases import reseal
from support.scored_parts import with_distance

from tasks import export as module
from tasks.core.errors import BadSetting, MissingExtra, NotExportable, ParityLost, UnfitStandard, UnusableFolder
from tasks.core.files import file_digest
from tasks.export import export
from tasks.imaging.photos import list_photos
from tasks.imaging.standard import read_standard
from tasks.model.distances import Distance, distance
from tasks.registry.loading import load_release
from tasks.registry.release_files import ThresholdSettings
from tasks.scoring.export_formats import PACKAGES, run_onnx
from tasks.scoring.photograph_parity import DRAWN_PHOTOGRAPHS
from tasks.scoring.verdicts import predict

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="an export is made on TensorFlow")
LOCK = ROOT / "requirements.lock"


class NumpyOnly(Distance):
    """A formula that no graph can have."""

    name = "numpy only"

    def pair(self, x, anchor, xp=np):
        return np.sum(np.sort(np.abs(np.asarray(x) - np.asarray(anchor)), axis=-1), axis=-1)


@pytest.fixture(scope="module")
def artifacts(small_line):
    return small_line.artifacts_path


def test_an_export_holds_the_model_and_all_that_is_said_of_it(exported):
    names = {kind: {path.name for path in Path(result.path).iterdir()} for kind, result in exported.items()}
    common = {"facts.json", "parity.json", "README.md", "manifest.json"}
    assert names == {"onnx": {*common, "model.onnx", "verdict.py"}, "savedmodel": {*common, "model"}}
    for kind, result in exported.items():
        facts, parity, manifest = (
            json.loads((Path(result.path) / name).read_text())
            for name in ("facts.json", "parity.json", "manifest.json")
        )
        assert (result.status, result.release, result.format) == ("exported", "v1", kind)
        assert facts.items() <= manifest.items()
        assert manifest["parity"] == vars(result.parity)
        assert manifest["parity"].items() <= parity.items()


@pytest.fixture(scope="module")
def photographed(artifacts, tmp_path_factory):
    """The folder of a standard, and artifacts whose release carries it."""
    folder = tmp_path_factory.mktemp("photographed")
    standard = small_standard(folder / "standard")
    shutil.copytree(artifacts, folder / "artifacts")
    carry_standard(folder / "artifacts", standard)
    return standard, folder / "artifacts"


def test_an_export_takes_photographs_where_the_release_carries_a_standard(photographed, tmp_path):
    standard, carrying = photographed
    result = export(carrying, "v1", "onnx", tmp_path / "out")
    names = {"facts.json", "parity.json", "README.md", "manifest.json", "model.onnx", "verdict.py"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "photographs.py", "standard.npz"}
    facts, parity = (json.loads((tmp_path / "out" / name).read_text()) for name in ("facts.json", "parity.json"))
    size = {"height": 144, "width": 156, "channels": 1, "register": "rigid"}
    assert facts["photographs"] == {**size, "standard": file_digest(standard / "standard.npz")}
    assert parity["sets"]["photographs"]["records"] == DRAWN_PHOTOGRAPHS
    assert "144×156 pixels in grey" in (tmp_path / "out" / "README.md").read_text()
    assert export(carrying, "v1", "onnx", tmp_path / "out") == replace(result, status="unchanged")


def test_a_standard_is_given_to_a_release_that_carries_none(photographed, artifacts, tmp_path):
    standard, carrying = photographed
    assert export(artifacts, "v1", "onnx", tmp_path / "out", standard).status == "exported"
    assert (tmp_path / "out" / "photographs.py").exists()
    with pytest.raises(UnusableFolder, match="found something else"):
        export(artifacts, "v1", "onnx", tmp_path / "out")
    with pytest.raises(BadSetting, match="--standard: expected --format onnx with it, found savedmodel"):
        export(artifacts, "v1", "savedmodel", tmp_path / "saved", standard)
    other = small_standard(tmp_path / "other", 6, 8)
    with pytest.raises(UnfitStandard, match="expected a standard of 4×5 maps, found one of 6×8"):
        export(artifacts, "v1", "onnx", tmp_path / "no", other)
    other = small_standard(tmp_path / "shift", register="shift")
    with pytest.raises(UnfitStandard, match="v1 carries the standard of its own training maps, found another"):
        export(carrying, "v1", "onnx", tmp_path / "no", other)
    assert not (tmp_path / "no").exists()


def test_without_opencv_an_export_takes_maps_alone_and_says_so(photographed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "cv2" else name)
    export(photographed[1], "v1", "onnx", tmp_path / "out")
    assert "photographs" not in json.loads((tmp_path / "out" / "facts.json").read_text())
    assert "run make setup EXTRAS=photos" in capsys.readouterr().err


def test_without_the_packages_of_onnx_it_says_what_to_install(artifacts, monkeypatch):
    for name in PACKAGES["onnx"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("tasks.export", "tasks.scoring.standalone"):
        monkeypatch.delattr(name, raising=False)
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingExtra, match="package tf2onnx, onnx, onnxruntime, found none; run make"):
        importlib.import_module("tasks.export").export(artifacts, "v1", "onnx", None)


@pytest.mark.parametrize("name", ["cosine", "snr", "rt"])
@pytest.mark.slow
def test_other_distances_and_a_fused_score_pass_the_gate_as_onnx(artifacts, small_release, tmp_path, monkeypatch, name):
    """The gate is the test; euclidean is the release's own distance."""
    release = with_distance(small_release, distance(name), fused=name == "rt")
    monkeypatch.setattr(module, "load_release", lambda *_: release)
    result = export(artifacts, "v1", "onnx", tmp_path / "out")
    assert result.parity.largest_difference < result.parity.tolerance / 10


@pytest.mark.slow
def test_the_shifts_of_a_release_are_inside_its_export(artifacts, tmp_path):
    """The gate compares the file with the release, which embeds each map five times."""
    folder = tmp_path / "artifacts"
    shutil.copytree(artifacts, folder)
    release = folder / "releases" / "v1"
    replace(ThresholdSettings.load(release), shifts=5).save(release)
    reseal(release)
    five, one = load_release(folder, "v1"), load_release(artifacts, "v1")
    maps = one.gallery.maps[:5]
    assert not np.allclose(five.classifier.embed(maps).vectors, one.classifier.embed(maps).vectors)
    result = export(folder, "v1", "onnx", tmp_path / "out")
    assert result.parity.largest_difference < result.parity.tolerance / 10


def test_after_a_lost_gate_nothing_is_left(exported, artifacts, tmp_path, monkeypatch):
    """The format writes a file that calls every map good."""
    real = run_onnx(Path(exported["onnx"].path) / "model.onnx")

    def write(model, facts, folder):
        (folder / "model.onnx").write_bytes(b"wrong")
        return lambda maps: {**real(maps), "verdict": np.zeros(len(maps), int)}

    monkeypatch.setitem(module.FORMATS, "onnx", write)
    with pytest.raises(ParityLost):
        export(artifacts, "v1", "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_formula_that_no_graph_has_is_refused_in_one_line(small_release, artifacts, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_release", lambda *_: with_distance(small_release, NumpyOnly()))
    with pytest.raises(NotExportable, match=r"expected a distance in keras.ops, found numpy only"):
        export(artifacts, "v1", "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_same_export_is_found_and_another_folder_is_left_alone(exported, artifacts, tmp_path):
    result = exported["onnx"]
    again = export(artifacts, "v1", "onnx", Path(result.path))
    assert (again.status, again.parity) == ("unchanged", result.parity)
    with pytest.raises(UnusableFolder, match="found something else"):
        export(artifacts, "v1", "savedmodel", Path(result.path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UnusableFolder, match="found something else"):
        export(artifacts, "v1", "onnx", tmp_path / "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]


@pytest.mark.parametrize("kind", ["onnx", "savedmodel"])
def test_the_usage_in_the_export_runs(exported, kind, hidden, tmp_path, monkeypatch, capsys):
    """The lines of the export's own README, as they stand there, with only its own folder to import from."""
    folder = Path(exported[kind].path)
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    np.save(tmp_path / "maps.npy", hidden(each=5, seed=4).maps.reshape(-1, 4, 5))
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "verdict", raising=False)
    exec(code, {})
    assert "defect" in capsys.readouterr().out


@pytest.mark.slow
def test_records_and_photographs_in_an_environment_without_keras(
    exported, small_release, photographed, hidden, tmp_path
):
    """ONNX Runtime, numpy and OpenCV of the lock, in an environment of their own: the shop floor's machine."""
    python, uv = tmp_path / "venv" / "bin" / "python", Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    packages = ["onnxruntime", "numpy", "opencv-python-headless"]
    pinned = [line.split(" ")[0] for line in LOCK.read_text().splitlines() if line.split("==")[0] in packages]
    install = [uv, "pip", "install", "--quiet", "--python", python, "--constraint", LOCK, *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(pinned)} cannot be had on this machine: {done.stderr.strip()[-200:]}")
    absent = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ('keras', 'tensorflow', 'tasks', 'PIL'))))"
    assert subprocess.run([python, "-c", absent], check=False, cwd=tmp_path).returncode == 0
    maps = hidden(each=334, seed=11).maps[:1000]
    np.save(tmp_path / "maps.npy", maps)
    program = Path(exported["onnx"].path) / "verdict.py"
    done = subprocess.run([python, program, tmp_path / "maps.npy"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in rows] == predict(small_release, maps).verdict.tolist()
    standard, carrying = photographed
    export(carrying, "v1", "onnx", tmp_path / "out")
    photos = list_photos(standard / "good")
    words = [python, "verdict.py", *(photo.path for photo in photos)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path / "out")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    measured = np.stack([read_standard(standard).to_map(photo).map.ravel() for photo in photos])
    assert [row["verdict"] for row in rows] == predict(small_release, measured).verdict.tolist()
