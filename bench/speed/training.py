"""The bench's part `training`: an epoch of the preset `notebook`, and a step of the preset `best`, in several ways."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from bench.speed.synthetic import bank
from bench.speed.table import Line, ahead, seconds
from bench.speed.timing import OUT, ROOT, Way, in_turns

# GFLOP an epoch: weights × 6, the first layer's × 4 (its input has no gradient), ten anchors once and the other two
NOTEBOOK = (4 * 882_688 + 2 * 163_840) * (10 + 64) * 119 / 1e9
BEST = 3 * 120 * 2 * (360 * 24 * 25 + 360 * 16 * 216 + 90 * 64 * 144 + 1600 * 128) / 1e9  # GFLOP a step
STEPS = 40  # an epoch of `best`
JAX = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}


def training(folder: Path, rounds: int) -> list[Line]:
    """The presets `notebook` and `best`, an epoch and a step."""
    known = bank()
    OUT.mkdir(parents=True, exist_ok=True)
    np.savez(OUT / "triplets.npz", maps=known.maps, anchors=known.anchors, triplets_train=known.triplets["train"])
    command = [sys.executable, "-m", "bench.speed.training_process"]
    ways = {
        "keras": Way("Keras as written", [*command, "keras"]),
        "torch": Way(
            "PyTorch + pytorch-metric-learning",
            [ROOT / ".venv" / "peers" / "bin" / "python", "-m", "bench.speed.training_process", "torch"],
            {"OMP_WAIT_POLICY": "PASSIVE"},
        ),
        "ours": Way("kensa on TensorFlow", [*command, "kensa", "--epochs", "10"]),  # as long as is worth compiling
        "jax": Way("kensa on JAX", [*command, "kensa", "--epochs", "10"], JAX),
        "best": Way("best", [*command, "best", "--epochs", "3"]),
        "plain": Way("best, train_on_batch", [*command, "best-plain", "--epochs", "3"]),
    }
    in_turns(list(ways.values()), rounds, ROOT)
    agree = Way("first hundred losses", [*command, "agree"])
    agree.run(ROOT)
    took = {name: way.median("seconds") for name, way in ways.items()}
    step = {name: took[name] / STEPS for name in ("best", "plain")}
    apart = max(agree.told[0]["differences"].values())
    notebook = "`notebook`, an epoch of 3 800 triplets"
    return [
        ahead("training", f"{notebook}, TensorFlow", took["ours"], "Keras as written", took["keras"], "3.5"),
        ahead("training", f"{notebook}, TensorFlow", took["ours"], "PyTorch", took["torch"], "1.25"),
        ahead("training", f"{notebook}, JAX", took["jax"], "PyTorch", took["torch"], "1.45"),
        Line("training", f"{notebook}, GFLOP/s", f"{NOTEBOOK / took['ours']:.0f}"),
        Line("training", "first hundred losses, largest difference", f"{apart:.1e}", "train_on_batch", None, "1e-5"),
        ahead("training", "`best`, a step of 120 records", step["best"], "train_on_batch", step["plain"], "2"),
        Line("training", "`best`, 720 steps", seconds(18 * STEPS * step["best"]), goal="4 to 8 s"),
        Line("training", "`best`, GFLOP/s", f"{BEST / step['best']:.0f}"),
    ]
