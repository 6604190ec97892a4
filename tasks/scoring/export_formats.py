"""The formats of an export: each is written from one Keras model, and run by its own runtime alone."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.core.errors import MissingExtra, NotExportable
from tasks.scoring.export_graph import INPUT, OUTPUTS
from tasks.scoring.export_parity import Run

BATCH = 1024  # maps that are run at once


def write_onnx(model: keras.Model, facts: dict[str, Any], folder: Path) -> Run:
    """Write `model.onnx` with its facts as metadata, and open it by ONNX Runtime; raises NotExportable."""
    import onnx

    path = folder / "model.onnx"
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # what it cannot write, the runtime refuses below
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="In the future `np.object`", category=FutureWarning)  # tf2onnx
        spec = keras.InputSpec(shape=(None, model.input_shape[1]), dtype="float32", name=INPUT)
        model.export(path, format="onnx", verbose=False, input_signature=[spec])
    written = onnx.load(path)
    for value in (*written.graph.input, *written.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    written.producer_name = "kensa"
    onnx.helper.set_model_props(written, {"kensa": json.dumps(facts)})
    onnx.save(written, path)
    return run_onnx(path)


def run_onnx(path: Path) -> Run:
    """The file as a function; raises NotExportable where the runtime does not take it."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except (state.Fail, state.InvalidGraph, state.NotImplemented, state.InvalidArgument) as error:
        reason = str(error).splitlines()[0][-200:]
        raise NotExportable(
            f"onnx: expected operations that ONNX has, found others ({reason}); use savedmodel"
        ) from None
    return _batched(lambda maps: dict(zip(OUTPUTS, session.run(list(OUTPUTS), {INPUT: maps}), strict=True)))


def write_savedmodel(model: keras.Model, facts: dict[str, Any], folder: Path) -> Run:
    """Write the folder `model`, whose endpoint `facts` tells what it is, and open it by TensorFlow."""
    import tensorflow as tf

    values, told = model.input_shape[1], json.dumps(facts)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda maps: model(maps, training=False),
        input_signature=[tf.TensorSpec((None, values), tf.float32, name=INPUT)],
    )
    archive.add_endpoint("facts", lambda: tf.constant(told), input_signature=[])
    archive.write_out(str(folder / "model"), verbose=False)
    return run_savedmodel(folder / "model")


def run_savedmodel(path: Path) -> Run:
    """The folder as a function."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return _batched(lambda maps: {name: value.numpy() for name, value in loaded.serve(tf.constant(maps)).items()})


FORMATS = {"onnx": write_onnx, "savedmodel": write_savedmodel}
NEEDS = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "savedmodel": ()}


def require_format(name: str) -> None:
    """Raise MissingExtra where a package is not there, NotExportable on another backend than TensorFlow."""
    missing = [package for package in NEEDS[name] if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingExtra(f"--format {name}: needs {', '.join(missing)}; install kensa[onnx]")
    if keras.backend.backend() != "tensorflow":
        raise NotExportable(
            f"export: expected Keras on TensorFlow, found {keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )


def _batched(run: Run) -> Run:
    """In batches, so that memory does not grow with the maps."""

    def batched(maps: np.ndarray) -> dict[str, np.ndarray]:
        values = np.ascontiguousarray(maps, np.float32)
        parts = [run(values[i : i + BATCH]) for i in range(0, len(values), BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}

    return batched
