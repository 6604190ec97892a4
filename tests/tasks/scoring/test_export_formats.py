"""The formats of an export: written, and run by their own runtimes, with the facts inside."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tasks.core.errors import MissingExtra, NotExportable
from tasks.scoring import export_formats
from tasks.scoring.export_formats import PACKAGES, require_format, run_onnx, run_savedmodel
from tasks.scoring.export_graph import CODES, OUTPUTS
from tasks.scoring.verdicts import predict

ON_TENSORFLOW = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="an export is made on TensorFlow")
NUMBERS = ("distance", "score", "margin", "beta", "sqrt_ve")


@ON_TENSORFLOW
@pytest.mark.parametrize("kind", ["onnx", "savedmodel"])
def test_the_file_says_what_the_release_says_and_holds_its_facts(exported, small_release, hidden, monkeypatch, kind):
    monkeypatch.setattr(export_formats, "MAPS_PER_CALL", 70)  # several calls, the last not full
    folder = Path(exported[kind].path)
    run = run_onnx(folder / "model.onnx") if kind == "onnx" else run_savedmodel(folder / "model")
    maps = hidden(each=100, seed=9).maps
    outputs, expected = run(maps), predict(small_release, maps)
    assert set(expected.verdict) == {"good", "defect", "unknown"}, "or the test says little"
    np.testing.assert_array_equal(np.array(CODES)[outputs["verdict"]], expected.verdict)
    np.testing.assert_array_equal(outputs["mode"], expected.mode)
    for name in NUMBERS:
        np.testing.assert_allclose(outputs[name], getattr(expected, name), rtol=1e-5, atol=1e-5, err_msg=name)
    assert outputs["distances"].shape == (300, 3)
    facts = json.loads((folder / "facts.json").read_text())
    if kind == "onnx":
        import onnx

        proto = onnx.load(folder / "model.onnx")
        onnx.checker.check_model(proto)
        assert json.loads({prop.key: prop.value for prop in proto.metadata_props}["kensa"]) == facts
        assert {output.name for output in proto.graph.output} == set(OUTPUTS)
    else:
        import tensorflow as tf

        assert json.loads(tf.saved_model.load(str(folder / "model")).facts().numpy()) == facts


def test_operations_that_the_runtime_does_not_have_are_refused_in_one_line(tmp_path):
    import onnx

    node = onnx.helper.make_node("NoSuchOperation", ["x"], ["y"])
    shape = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "none", shape[:1], shape[1:])), tmp_path / "x.onnx")
    with pytest.raises(NotExportable, match=r"expected operations that ONNX has, found others .*; use savedmodel"):
        run_onnx(tmp_path / "x.onnx")


def test_a_missing_package_or_another_backend_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(PACKAGES, "onnx", ("onnx", "no_such_package"))
    with pytest.raises(
        MissingExtra,
        match="onnx: expected the package no_such_package, found none; run make setup EX",
    ):
        require_format("onnx")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(NotExportable, match="expected Keras on TensorFlow, found jax"):
        require_format("savedmodel")
