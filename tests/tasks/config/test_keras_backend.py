"""The backend that Keras will use, and somebody's keras.json from other work."""

from __future__ import annotations

import json
import os
import runpy

import keras
import pytest

from tasks.config.keras_backend import keras_backend, set_keras_backend
from tasks.core.errors import BadSetting


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """Sets KERAS_BACKEND, and writes keras.json, where they are given."""
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # Keras sets it for other backends
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def write(variable=None, settings=None):
        monkeypatch.setenv("KERAS_BACKEND", variable or "")
        if variable is None:
            monkeypatch.delenv("KERAS_BACKEND")
        if settings is not None:
            (tmp_path / "keras.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))

    return write


@pytest.mark.parametrize("variable", [None, "", "jax"])
@pytest.mark.parametrize("stored", [None, "jax", "tensorflow"])
def test_the_backend_is_the_one_that_keras_takes(configure, variable, stored):
    """Keras' own module of settings is run again, with this environment and this file."""
    configure(variable, {"backend": stored} if stored else None)
    backend = keras_backend()
    assert backend == runpy.run_path(keras.src.backend.config.__file__)["backend"]()


@pytest.mark.parametrize(
    "settings", [{"backend": "torch"}, {"backend": "theano"}, {"backend": None}, [], "no JSON", ""]
)
def test_a_keras_json_for_other_work_leaves_kensa_on_tensorflow(configure, settings):
    configure(None, settings)
    set_keras_backend()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


@pytest.mark.parametrize("backend", ["torch", "Tensorflow", "openvino"])
def test_another_backend_in_the_environment_is_refused_in_one_line(configure, backend):
    configure(backend)
    with pytest.raises(BadSetting, match=f"KERAS_BACKEND: expected tensorflow or jax, found {backend}"):
        set_keras_backend()


def test_a_backend_that_is_not_installed_is_named(configure, monkeypatch):
    configure("jax", {"backend": "jax"})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadSetting, match="found it missing; run make setup EXTRAS=jax in"):
        set_keras_backend()
    configure(None)
    assert keras_backend() == "tensorflow"
