"""An exported release: judged by its own runtime, kept only where it says what the release says."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from support.project import ROOT

from tasks import export as module
from tasks.core.errors import MissingExtra, NotExportable, ParityLost, UnusableFolder
from tasks.export import export
from tasks.model.classifier import from_prototypes
from tasks.model.distances import Distance, distance
from tasks.model.fused_score import Fusion, peak
from tasks.registry.loading import load_release
from tasks.registry.release_files import Threshold
from tasks.scoring.export_formats import FORMATS, NEEDS, run_onnx, run_savedmodel
from tasks.scoring.export_graph import CODES, OUTPUTS, verdict_model
from tasks.scoring.export_parity import gate, gate_maps
from tasks.scoring.verdicts import predict

ON_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="an export is made on TensorFlow")
pytestmark = ON_TENSORFLOW
SEEN = ("distance", "score", "margin", "beta", "sqrt_ve")


class City(Distance):
    """Sum of the absolute differences, for both namespaces."""

    name = "city"

    def pair(self, x, anchor, xp=np):
        return xp.sum(xp.abs(x - anchor), axis=-1)


class NumpyOnly(Distance):
    """A formula that no graph can have."""

    name = "numpy only"

    def pair(self, x, anchor, xp=np):
        return np.sum(np.sort(np.abs(np.asarray(x) - np.asarray(anchor)), axis=-1), axis=-1)


@pytest.fixture(scope="module")
def artifacts(small_line):
    return small_line.artifacts_path


@pytest.fixture(scope="module")
def opened(artifacts):
    return load_release(artifacts, "v1")


@pytest.fixture(scope="module")
def exported(artifacts, tmp_path_factory):
    """The release in both formats."""
    folder = tmp_path_factory.mktemp("exports")
    return {kind: export(artifacts, "v1", kind, folder / kind) for kind in FORMATS}


def _thresholds(cut, reach=None):
    """A release's thresholds of these values."""
    values = {"good or defect": cut, "same mode": reach}
    return {name: Threshold(name, "youden", None, None, 10, 5, value) for name, value in values.items()}


def measured_by(opened, measure, fused=False):
    """The release as if it had been trained in another distance, with prototypes and thresholds of it."""
    maps, mode, good = opened.gallery.maps, opened.gallery.mode, opened.gallery.good
    embedded = opened.judge.embed(maps)
    groups = [embedded[mode == code] for code in range(len(opened.judge.modes))]
    made = measure.prototypes([*groups, embedded[good]])
    modes, last = ({name: value[part] for name, value in made.items()} for part in (slice(3), slice(3, None)))
    judge = from_prototypes("other", opened.judge.embed, measure, opened.judge.modes, modes, last)
    if fused:
        judge = replace(judge, fusion=Fusion(judge.good_distances(maps[good]), peak(maps[good])), fused=True)
    cut = float(np.quantile(judge.score(maps[good]), 0.9))
    reach = float(np.quantile(judge.mode_distances(maps).min(axis=1), 0.8))
    return replace(opened, judge=judge, thresholds=_thresholds(cut, reach))


def written(opened, kind, folder, facts=None):
    """The release's model as a file, opened by its own runtime."""
    tower = keras.saving.load_model(opened.release.path / "model.keras", compile=False)
    return FORMATS[kind](verdict_model(opened, tower), facts or {}, folder)


@pytest.mark.parametrize("kind", ["onnx", "savedmodel"])
def test_the_file_says_what_the_release_says(exported, opened, hidden, kind):
    done = exported[kind]
    folder = Path(done.path)
    run = run_onnx(folder / "model.onnx") if kind == "onnx" else run_savedmodel(folder / "model")
    maps = hidden(each=100, seed=9).maps
    told, expected = run(maps), predict(opened, maps)
    assert set(expected.verdict) == {"good", "defect", "unknown"}, "or the test says little"
    np.testing.assert_array_equal(np.array(CODES)[told["verdict"]], expected.verdict)
    np.testing.assert_array_equal(told["mode"], expected.mode)
    for name in SEEN:
        np.testing.assert_allclose(told[name], getattr(expected, name), rtol=1e-5, atol=1e-5, err_msg=name)
    assert told["distances"].shape == (300, 3)
    assert done.parity["records"] == sum(len(found) for found in gate_maps(opened).values())


@pytest.mark.parametrize(
    ("name", "fused"),
    [(name, False) for name in ("euclidean", "squared-euclidean", "cosine", "snr", "rt", "city")]
    + [("euclidean", True), ("rt", True)],
)
def test_every_distance_passes_the_gate_as_onnx(opened, tmp_path, name, fused):
    """The gate is the test: other distances than the release's own, and both kinds of score."""
    other = measured_by(opened, City() if name == "city" else distance(name), fused)
    found = gate(other, written(other, "onnx", tmp_path))
    assert found["largest_difference"] < found["tolerance"] / 10
    assert all(part["other_verdicts"] <= part["at_the_border"] for part in found["sets"].values())


def test_a_release_without_good_parts_has_no_score(opened, tmp_path):
    """Its score is no number, and nothing is good, as Kensa itself has it."""
    other = replace(opened, judge=replace(opened.judge, good=None, good_distances=None), thresholds={})
    run = written(other, "onnx", tmp_path)
    assert gate(other, run)["sets"]["gallery"]["score"] is None
    told = run(opened.gallery.maps[:5])
    assert np.isnan(told["score"]).all()
    assert (told["verdict"] == 1).all()


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        ({"distances": 1.001}, "distances of gallery .* differ, by 0.0"),
        ({"score": 1.01}, "scores of gallery"),
        ({"mode": 0}, "modes of gallery"),
        ({"verdict": 0}, "verdicts of gallery"),
        ({"beta": 1.01}, "beta of gallery"),
    ],
)
def test_a_file_that_says_something_else_is_refused(opened, tmp_path, spoilt, message):
    run = written(opened, "onnx", tmp_path)

    def lying(maps):
        return {name: value * spoilt.get(name, 1) for name, value in run(maps).items()}

    gate(opened, run)
    with pytest.raises(ParityLost, match=message):
        gate(opened, lying)


def test_the_gate_wants_maps_that_are_no_numbers_refused(opened, tmp_path):
    run = written(opened, "onnx", tmp_path)
    with pytest.raises(ParityLost, match="no numbers"):
        gate(opened, lambda maps: {**run(maps), "verdict": np.minimum(run(maps)["verdict"], 2)})


def test_after_a_lost_gate_nothing_is_left(artifacts, tmp_path, monkeypatch):
    """The written file judges with another threshold than the release: a real file, and a real difference."""
    real = module.verdict_model
    monkeypatch.setattr(
        module,
        "verdict_model",
        lambda opened, tower: real(replace(opened, thresholds=_thresholds(0.0)), tower),
    )
    with pytest.raises(ParityLost):
        export(artifacts, "v1", "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_formula_that_no_graph_has_is_told_in_one_line(opened, artifacts, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_release", lambda *_: measured_by(opened, NumpyOnly()))
    with pytest.raises(NotExportable, match=r"expected a distance in keras.ops, found numpy only"):
        export(artifacts, "v1", "onnx", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_told_in_one_line(artifacts, tmp_path, monkeypatch):
    monkeypatch.setitem(NEEDS, "onnx", ("onnx", "no_such_package"))
    with pytest.raises(MissingExtra, match=r"--format onnx: needs no_such_package; install kensa\[onnx\]"):
        export(artifacts, "v1", "onnx", tmp_path / "out")


def test_the_same_export_is_found_and_another_folder_is_left_alone(exported, artifacts, tmp_path):
    done = exported["onnx"]
    assert done.status == "exported"
    assert export(artifacts, "v1", "onnx", Path(done.path)).status == "unchanged"
    with pytest.raises(UnusableFolder, match="found something else"):
        export(artifacts, "v1", "savedmodel", Path(done.path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UnusableFolder, match="found something else"):
        export(artifacts, "v1", "onnx", tmp_path / "mine")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]


def test_facts_travel_in_the_file(exported, opened):
    import onnx

    folder = Path(exported["onnx"].path)
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model)
    facts = json.loads({prop.key: prop.value for prop in model.metadata_props}["kensa"])
    assert facts == json.loads((folder / "facts.json").read_text())
    assert facts["modes"] == opened.judge.modes
    assert facts["thresholds"]["good or defect"]["value"] == opened.defect_threshold
    assert (facts["release"], facts["rows"], facts["cols"]) == ("v1", 4, 5)
    assert {output.name for output in model.graph.output} == set(OUTPUTS)
    saved = json.loads((Path(exported["savedmodel"].path) / "facts.json").read_text())
    import tensorflow as tf

    told = tf.saved_model.load(str(Path(exported["savedmodel"].path) / "model")).facts().numpy()
    assert json.loads(told) == saved


def test_the_shop_floors_program_reads_it(exported, opened, hidden, tmp_path):
    """`verdict.py` as it lies in the folder, run as a program whose only imports are numpy and onnxruntime."""
    parts = hidden(each=10, seed=4)
    np.save(tmp_path / "maps.npy", parts.maps.reshape(-1, 4, 5))
    program = Path(exported["onnx"].path) / "verdict.py"
    command = [sys.executable, "-X", "importtime", program, tmp_path / "maps.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-500:]
    assert not {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()} & {"keras", "tensorflow", "tasks"}
    rows, expected = [json.loads(line) for line in done.stdout.splitlines()], predict(opened, parts.maps)
    assert [row["verdict"] for row in rows] == expected.verdict.tolist()
    assert [row["mode"] for row in rows] == [opened.judge.modes[code] for code in expected.mode]
    np.testing.assert_allclose([row["margin"] for row in rows], expected.margin, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["onnx", pytest.param("savedmodel", marks=pytest.mark.slow)])
def test_the_usage_in_the_export_runs(exported, kind, hidden, tmp_path):
    """The lines of the export's own README, as they stand there."""
    folder = Path(exported[kind].path)
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    np.save(tmp_path / "maps.npy", hidden(each=5, seed=4).maps.reshape(-1, 4, 5))
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-500:]
    assert "defect" in done.stdout


LOCK = ROOT / "requirements.lock"


@pytest.mark.slow
def test_a_thousand_records_in_an_environment_without_keras(exported, opened, hidden, tmp_path):
    """ONNX Runtime and numpy of the lock, in an environment of their own: the shop floor's machine."""
    python, uv = tmp_path / "venv" / "bin" / "python", Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    packages = ["onnxruntime", "numpy"]
    pinned = [line.split(" ")[0] for line in LOCK.read_text().splitlines() if line.split("==")[0] in packages]
    install = [uv, "pip", "install", "--quiet", "--python", python, "--constraint", LOCK, *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(pinned)} cannot be had on this machine: {done.stderr.strip()[-200:]}")
    absent = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ('keras', 'tensorflow', 'tasks'))))"
    assert subprocess.run([python, "-c", absent], check=False, cwd=tmp_path).returncode == 0
    maps = hidden(each=334, seed=11).maps[:1000]
    np.save(tmp_path / "maps.npy", maps)
    program = Path(exported["onnx"].path) / "verdict.py"
    done = subprocess.run([python, program, tmp_path / "maps.npy"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["verdict"] for row in rows] == predict(opened, maps).verdict.tolist()
