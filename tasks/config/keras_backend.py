"""Which backend Keras uses, found without importing it: TensorFlow takes ten seconds.

~/.keras/keras.json may come from other work of the same user: it chooses the backend where Kensa runs on that one, and
nothing else (see tasks.model.tower.reset_number_format).
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

from tasks.core.errors import BadSetting, install_hint

BACKENDS = ("tensorflow", "jax")


def keras_backend() -> str:
    """KERAS_BACKEND, else that of keras.json if Kensa runs on it here, else tensorflow.

    Source: https://keras.io/getting_started/#configuring-your-backend
    """
    return os.environ.get("KERAS_BACKEND") or _of_file()


def _of_file() -> str:
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        settings = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "tensorflow"
    backend = settings.get("backend") if isinstance(settings, dict) else None
    return backend if backend in BACKENDS and _is_installed(backend) else "tensorflow"


def set_keras_backend() -> None:
    """Make it that of this process and its children; raises BadSetting for a KERAS_BACKEND that Kensa cannot use."""
    backend = keras_backend()
    if backend not in BACKENDS:
        raise BadSetting(f"KERAS_BACKEND: expected {' or '.join(BACKENDS)}, found {backend}; set or unset it")
    if not _is_installed(backend):
        cure = install_hint("jax") if backend == "jax" else "run make setup"
        raise BadSetting(f"KERAS_BACKEND={backend}: expected it installed, found it missing; {cure}, or unset it")
    os.environ["KERAS_BACKEND"] = backend


def _is_installed(backend: str) -> bool:
    return importlib.util.find_spec(backend) is not None
