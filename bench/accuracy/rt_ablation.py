"""What makes the RT distance train: the preset `rt` with one thing changed at a time, three seeds, two sets.

    python -m bench.accuracy.rt_ablation --data folder-of-the-sets

prints the table of docs/rt.md. Results are kept under bench/out, beside those of bench/accuracy/figures.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from bench.accuracy.datasets import write_sets
from bench.accuracy.figures import SEEDS, train_and_evaluate
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.model import siamese
from tasks.model.distances import Distance

SETS = ("20085", "mt")  # the hardest board group, and the set with the smallest modes
VARIANTS: dict[str, list[str]] = {
    "preset `rt`: 16 blocks of an embedding of length 1": [],
    "4 blocks": ["fit.blocks=4"],
    "one block, RT as in the textbook": ["fit.blocks=1"],
    "16 blocks, length free": ["tower.normalise=false"],
}
WITH_ITSELF = "each record within the unit space that judges it"


def main(words: list[str] | None = None) -> int:
    """Train what is not there yet, and print the table."""
    command = argparse.ArgumentParser(prog="python -m bench.accuracy.rt_ablation", description=__doc__)
    command.add_argument("--data", type=Path, required=True, help="folder of the sets")
    command.add_argument("--out", type=Path, default=Path("bench/out"), help="folder of trainings and results")
    arguments = command.parse_args(words)
    folds = write_sets(arguments.data, arguments.out / "sets")
    rows: dict[str, list[str]] = {}
    for name in SETS:
        for title, metrics in _variants(name, folds[name], arguments.out).items():
            cells = rows.setdefault(title, [])
            cells += [f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" for values in metrics]
    print(
        "| | boards: verification AUROC | mode accuracy | tiles: verification AUROC | mode accuracy |\n| --- |"
        + " ---: |" * 4
    )
    for title, cells in rows.items():
        print(f"| {title} | {' | '.join(cells)} |")
    return 0


def _variants(name: str, folders: tuple[Path, Path | None], out: Path) -> dict[str, list[list[float]]]:
    """Verification AUROC and mode accuracy over the seeds, by variant."""
    plain = apply_overrides(
        RunConfig(preset="rt", data_folder=str(out / "data")), ["split.unit=record"] * bool(folders[1])
    )
    config = replace(plain, train=str(folders[0]), test=folders[1] and str(folders[1]))

    def over_seeds(run: RunConfig, place: Path) -> list[list[float]]:
        rows = [train_and_evaluate(name, replace(run, seed=seed).resolved(), place) for seed in SEEDS]
        return [[row[figure] for row in rows] for figure in ("auroc", "mode_accuracy")]

    results = {"preset `best`, Euclidean": over_seeds(replace(config, preset="best"), out)}
    results |= {title: over_seeds(apply_overrides(config, words), out) for title, words in VARIANTS.items()}
    folder = out / "with-itself"  # the settings are the preset's: its trainings must not be taken for these
    return results | {WITH_ITSELF: _with_itself(lambda: over_seeds(replace(config, data_folder=str(folder)), folder))}


def _with_itself(run: Callable[[], Any]) -> Any:
    """`run` with prototypes that hold the record they judge, as in earlier attempts."""
    usual = siamese.prototype_logits
    siamese.prototype_logits = _logits_with_itself
    try:
        return run()
    finally:
        siamese.prototype_logits = usual


def _logits_with_itself(measure: Distance, embeddings: Any, modes: int, records: int, rows: Any = None) -> Any:
    raw = measure.prototype(ops.reshape(embeddings, (modes, records, embeddings.shape[-1])), ops)
    return -ops.square(measure.to_prototypes(embeddings, measure.pooled(raw, raw, ops), ops))


if __name__ == "__main__":
    sys.exit(main())
