"""Models that run a stranger's code when they are loaded, each within a release whose digests fit."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.faults.harness import COLS, ROWS


def lambda_layer(release: Path, ran: Path) -> None:
    """A Lambda layer, whose code Keras would load."""
    import keras

    inputs = keras.Input((ROWS * COLS,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs)).save(release / "model.keras")


def custom_object(release: Path, ran: Path) -> None:
    """A layer that names `builtins.exec`."""
    _change_config(
        release, lambda config: config["config"]["layers"][0].update(module="builtins", class_name="exec", config={})
    )


def module_call(release: Path, ran: Path) -> None:
    """A layer that names `os.system` with a command."""
    spawn = {
        "module": "os",
        "class_name": "system",
        "config": {"command": f"touch {ran}"},
        "registered_name": None,
        "name": "x",
        "inbound_nodes": [],
    }
    _change_config(release, lambda config: config["config"]["layers"].__setitem__(0, spawn))


def _change_config(release: Path, change: Callable[[dict], None]) -> None:
    """The model's own description changed within its archive."""
    path = release / "model.keras"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


class _Command:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def pickled_model(release: Path, ran: Path) -> None:
    """A pickle in place of the model's archive."""
    (release / "model.keras").write_bytes(pickle.dumps(_Command(f"touch {ran}")))


def pickled_arrays(release: Path, ran: Path) -> None:
    """Anchors with an array of Python objects."""
    with np.load(release / "anchors.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(release / "anchors.npz", **arrays | {"maps": np.array([_Command(f"touch {ran}")], object)})


HOSTILE_MODELS = {
    "lambda": lambda_layer,
    "custom": custom_object,
    "module": module_call,
    "pickle": pickled_model,
    "pickled arrays": pickled_arrays,
}
