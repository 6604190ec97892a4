"""The notebook from which Kensa comes, as its user ran it: DataFrame, lists, three towers, pairwise scoring.

    python -m bench.speed.notebook FOLDER [--restructure] [--epochs 7]

Prints the seconds of each step as JSON; with --restructure it stops where the triplets are arrays.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from typing import Any

import numpy as np


def restructured(folder: str, told: dict[str, float]) -> list[list[np.ndarray]]:
    """Anchors, positives and negatives as lists of maps, by way of a DataFrame."""
    import pandas as pd
    from datasets import load_dataset

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as cache:
        dataset = load_dataset(folder, split="train", cache_dir=cache)
        told["load_dataset"] = time.perf_counter() - start
        start = time.perf_counter()
        frame = pd.DataFrame(dataset)
    told["DataFrame"] = time.perf_counter() - start
    start = time.perf_counter()
    lists = []
    for prefix in ("arch", "pos", "neg"):
        columns = [f"{prefix}{i}" for i in range(36 * 39)]
        lists.append([np.array(row, np.float32) for row in frame[columns].to_numpy()])
    told["lists"] = time.perf_counter() - start
    return lists


def three_towers() -> Any:
    """The Siamese model as written: one shared tower over three inputs, and a loss on what comes of them."""
    import keras
    from keras import layers, ops

    tower = keras.Sequential(
        [layers.Dense(512, activation="relu"), layers.Dense(256, activation="relu"), layers.Dense(128)]
    )
    inputs = [keras.Input((36 * 39,)) for _ in range(3)]
    outputs = layers.Concatenate()([tower(one) for one in inputs])

    def loss(_: Any, found: Any) -> Any:
        anchor, positive, negative = ops.split(found, 3, axis=-1)
        near, far = (ops.sqrt(ops.sum(ops.square(anchor - one), axis=-1) + 1e-12) for one in (positive, negative))
        return ops.mean(ops.maximum(near - far + 0.4, 0.0))

    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(3e-5), loss=loss)
    return model


def main() -> None:
    """Run it."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder")
    words.add_argument("--restructure", action="store_true")
    words.add_argument("--epochs", type=int, default=7)
    asked = words.parse_args()
    told: dict[str, float] = {}
    lists = restructured(asked.folder, told)
    if not asked.restructure:
        start = time.perf_counter()
        arrays = [np.array(one) for one in lists]
        model = three_towers()
        model.fit(
            arrays, np.zeros(len(arrays[0])), batch_size=32, epochs=asked.epochs, validation_split=0.05, verbose=0
        )
        told["fit"] = time.perf_counter() - start
        start = time.perf_counter()
        _scored(model, arrays)
        told["score"] = time.perf_counter() - start
    print(json.dumps(told))


def _scored(model: Any, arrays: list[np.ndarray]) -> float:
    """Angular similarity of each pair in a loop, and the share on the right side of 0.5."""
    anchor, positive, negative = np.split(model.predict(arrays, verbose=0), 3, axis=1)
    right = 0
    for a, p, n in zip(anchor, positive, negative, strict=True):
        for other, alike in ((p, True), (n, False)):
            cosine = a @ other / (np.linalg.norm(a) * np.linalg.norm(other))
            right += ((1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi) > 0.5) == alike
    return right / (2 * len(anchor))


if __name__ == "__main__":
    main()
