"""The formats of an export: each is written from one Keras model, and run by its own runtime alone."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path

import keras
import numpy as np

from tasks.core.errors import MissingExtra, NotExportable
from tasks.core.text import one_line
from tasks.scoring.export_graph import INPUT, OUTPUTS
from tasks.scoring.export_parity import Run

MAPS_PER_CALL = 1024


def write_onnx(model: keras.Model, facts: str, folder: Path) -> Run:
    """Write `model.onnx` with its facts (JSON) as metadata, and open it by ONNX Runtime; raises NotExportable."""
    import onnx

    path = folder / "model.onnx"
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # the runtime refuses below what tf2onnx cannot write
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="In the future `np.object`", category=FutureWarning)  # tf2onnx
        spec = keras.InputSpec(shape=(None, model.input_shape[1]), dtype="float32", name=INPUT)
        model.export(path, format="onnx", verbose=False, input_signature=[spec])
    proto = onnx.load(path)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    proto.producer_name = "kensa"
    onnx.helper.set_model_props(proto, {"kensa": facts})
    onnx.save(proto, path)
    return run_onnx(path)


def run_onnx(path: Path) -> Run:
    """The file as a function, run by the program that is exported with it; raises NotExportable if it cannot be."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    from tasks.scoring.standalone import Inspector  # it imports ONNX Runtime, which is an extra

    try:
        inspector = Inspector(path)
    except (state.Fail, state.InvalidGraph, state.NotImplemented, state.InvalidArgument) as error:
        raise NotExportable(
            f"onnx: expected operations that ONNX has, found others ({one_line(error)}); use savedmodel"
        ) from None
    return _in_batches(inspector.outputs)


def write_savedmodel(model: keras.Model, facts: str, folder: Path) -> Run:
    """Write the folder `model`, whose endpoint `facts` returns the facts (JSON), and open it by TensorFlow."""
    import tensorflow as tf

    values = model.input_shape[1]
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve",
        lambda maps: model(maps, training=False),
        input_signature=[tf.TensorSpec((None, values), tf.float32, name=INPUT)],
    )
    archive.add_endpoint("facts", lambda: tf.constant(facts), input_signature=[])
    archive.write_out(str(folder / "model"), verbose=False)
    return run_savedmodel(folder / "model")


def run_savedmodel(path: Path) -> Run:
    """The folder as a function."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return _in_batches(lambda maps: {name: value.numpy() for name, value in loaded.serve(tf.constant(maps)).items()})


FORMATS = {"onnx": write_onnx, "savedmodel": write_savedmodel}
PACKAGES = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "savedmodel": ()}


def require_format(name: str) -> None:
    """Raise MissingExtra where a package is not installed, NotExportable on another backend than TensorFlow."""
    missing = [package for package in PACKAGES[name] if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingExtra(f"--format {name}", ", ".join(missing), "onnx")
    if keras.backend.backend() != "tensorflow":
        raise NotExportable(
            f"export: expected Keras on TensorFlow, found {keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )


def _in_batches(run: Run) -> Run:
    """The function called with MAPS_PER_CALL maps at a time, so that memory does not grow with their number."""

    def run_in_batches(maps: np.ndarray) -> dict[str, np.ndarray]:
        values = np.ascontiguousarray(maps, np.float32)
        parts = [run(values[i : i + MAPS_PER_CALL]) for i in range(0, len(values), MAPS_PER_CALL)]
        return {name: np.concatenate([part[name] for part in parts]) for name in OUTPUTS}

    return run_in_batches
