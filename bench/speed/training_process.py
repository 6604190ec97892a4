"""The ways to train that the bench compares, each in a process of its own; prints what it found as JSON.

    python -m bench.speed.training_process kensa --epochs 6        preset `notebook`, as Kensa trains it
    python -m bench.speed.training_process keras --epochs 6        three towers and `fit`, as the notebook has it
    python -m bench.speed.training_process torch --epochs 6        PyTorch + pytorch-metric-learning (own environment)
    python -m bench.speed.training_process best --epochs 3         preset `best`, as Kensa trains it
    python -m bench.speed.training_process best-plain --epochs 3   the same model and batches, by `train_on_batch`
    python -m bench.speed.training_process steps --epochs 6        `notebook`, by Keras' `fit` with steps_per_execution
    python -m bench.speed.training_process best-steps --epochs 3   `best`, by Keras' `fit` with steps_per_execution
    python -m bench.speed.training_process agree                   losses of 100 steps: blocks against single steps

All read the same generated triplets, of which the arrays lie ready; `seconds` are those of whole epochs but
the first, which compiles.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.speed.timing import timed

BATCH, MARGIN, RATE = 32, 0.4, 3e-5


def arrays(path: Path) -> list[np.ndarray]:
    """Anchors, positives and negatives of the training triplets, (3 800, 1404) each."""
    with np.load(path) as file:
        maps, anchors, triplets = file["maps"], file["anchors"], file["triplets_train"]
    return [anchors[triplets[:, 0]], maps[triplets[:, 1]], maps[triplets[:, 2]]]


def kensa(path: Path, epochs: int, preset: str = "notebook") -> dict[str, Any]:
    """Kensa's own training, validation and bookkeeping included."""
    from bench.speed.synthetic import bank
    from tasks.config.model import TrainingConfig
    from tasks.config.run import RunConfig
    from tasks.train import fit

    config = RunConfig(preset=preset, fit=TrainingConfig(epochs=epochs, patience=epochs)).resolved()
    _, log, _ = fit(bank(), config)
    return {"seconds": [line.seconds for line in log[1:]]}


def keras_as_written(path: Path, epochs: int) -> dict[str, Any]:
    """`fit` on three inputs, a call an epoch."""
    from bench.speed.notebook import three_towers

    given, model = arrays(path), three_towers()
    return {
        "seconds": timed(lambda: model.fit(given, np.zeros(len(given[0])), batch_size=BATCH, verbose=0), epochs - 1)
    }


def torch_as_written(path: Path, epochs: int) -> dict[str, Any]:
    """The recipe as users of pytorch-metric-learning write it: its loss, a shared tower, fused Adam."""
    import torch
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.reducers import MeanReducer

    torch.manual_seed(0)
    given = [torch.from_numpy(one) for one in arrays(path)]
    layers = [torch.nn.Linear(1404, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256), torch.nn.ReLU()]
    tower = torch.nn.Sequential(*layers, torch.nn.Linear(256, 128))
    optimizer = torch.optim.Adam(tower.parameters(), RATE, fused=True)
    distance = LpDistance(normalize_embeddings=False)
    lossy = TripletMarginLoss(margin=MARGIN, distance=distance, reducer=MeanReducer())

    def epoch() -> None:
        for rows in torch.randperm(len(given[0])).split(BATCH):
            embedded, count = tower(torch.cat([one[rows] for one in given])), len(rows)
            indices = (torch.arange(count), torch.arange(count), torch.arange(count) + count)
            references = embedded[count:]
            loss = lossy(embedded[:count], torch.arange(count), indices, references, torch.arange(2 * count))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return {"seconds": timed(epoch, epochs - 1)}


def best_plain(path: Path, epochs: int, preset: str = "best") -> dict[str, Any]:
    """The model of a preset on the same batches, one `train_on_batch` for each."""
    from bench.speed.synthetic import bank
    from tasks.config.model import TrainingConfig
    from tasks.config.run import RunConfig
    from tasks.train import prepare_training

    model, batches, _ = prepare_training(bank(), RunConfig(preset=preset, fit=TrainingConfig(epochs=epochs)).resolved())
    _plain(model)
    drawn = [batches.epoch(number) for number in range(epochs + 1)]
    return {"seconds": timed(lambda: _one_by_one(model, drawn.pop()), epochs - 1)}


def keras_steps(path: Path, epochs: int, preset: str = "notebook") -> dict[str, Any]:
    """The same model and batches by Keras' own `fit`, a block of batches an execution."""
    from bench.speed.synthetic import bank
    from tasks.config.model import TrainingConfig
    from tasks.config.run import RunConfig
    from tasks.train import prepare_training

    config = RunConfig(preset=preset, fit=TrainingConfig(epochs=epochs)).resolved()
    model, batches, _ = prepare_training(bank(), config)
    _plain(model)
    model.compile(optimizer=model.optimizer, jit_compile=model.jit_compile, steps_per_execution=min(len(batches), 64))
    drawn = [batches.epoch(number) for number in range(epochs + 1)]

    def epoch() -> None:
        block = drawn.pop()
        rows = block.rows.reshape(-1, block.rows.shape[-1])
        options = {"batch_size": block.rows.shape[1], "shuffle": False, "verbose": 0}
        model.fit(rows, np.zeros(len(rows)), sample_weight=block.weights.ravel(), **options)

    return {"seconds": timed(epoch, epochs - 1)}


def agree(path: Path, epochs: int) -> dict[str, Any]:
    """Mean losses of the first 1, 10 and 100 steps of `notebook`: blocks against `train_on_batch`."""
    from bench.speed.synthetic import bank
    from tasks.config.run import RunConfig
    from tasks.model.batches import EpochBatches
    from tasks.train import prepare_training

    known, config, found = bank(), RunConfig(preset="notebook").resolved(), {}
    for count in (1, 10, 100):
        means = []
        for plain in (True, False):
            model, batches, _ = prepare_training(known, config)
            whole = batches.epoch(0)
            drawn = EpochBatches(whole.rows[:count], whole.weights[:count])
            if plain:
                _plain(model)
            means.append(float(np.mean(_one_by_one(model, drawn))) if plain else model.run_epoch(drawn, True)["mean"])
            if plain:
                del type(model).train_step  # that of the blocks again
        found[count] = abs(means[0] - means[1])
    return {"seconds": [], "differences": found}


def _plain(model: Any) -> None:
    """Have Keras' own step back: a batch a call."""
    import keras

    type(model).train_step = keras.Model.train_step


def _one_by_one(model: Any, drawn: Any) -> list[float]:
    steps = zip(drawn.rows, drawn.weights, strict=True)
    return [
        float(model.train_on_batch(rows, sample_weight=weights, return_dict=True)["mean"]) for rows, weights in steps
    ]


WAYS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "kensa": kensa,
    "keras": keras_as_written,
    "torch": torch_as_written,
    "best": lambda path, epochs: kensa(path, epochs, "best"),
    "best-plain": best_plain,
    "steps": keras_steps,
    "best-steps": lambda path, epochs: keras_steps(path, epochs, "best"),
    "plain": lambda path, epochs: best_plain(path, epochs, "notebook"),
    "agree": agree,
}


def main() -> None:
    """Train in one way."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("way", choices=WAYS)
    words.add_argument("--epochs", type=int, default=6)
    words.add_argument("--arrays", type=Path, default=Path("bench/out/triplets.npz"))
    asked = words.parse_args()
    print(json.dumps(WAYS[asked.way](asked.arrays, asked.epochs)))


if __name__ == "__main__":
    main()
