"""Trains the tower on balanced batches of records or on offline triplets, on any Keras backend.

    python -m tasks.train data/stages/triplets-0123456789abcdef --data data --set fit.epochs=5

trains from a triplets stage without Prefect, pyarrow or pandas.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tasks.config.fingerprints import model_digest
from tasks.config.model import PRESETS, TrainingConfig
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.errors import DamagedStage, KensaError, TrainingCollapsed, TrainingDiverged
from tasks.core.files import ensure_writable, write_json
from tasks.core.gc_tuning import collect_on_exit
from tasks.core.results import Epoch, Stage
from tasks.core.stages import get_or_make_stage, verified_manifest
from tasks.data.bank import Bank, load_bank
from tasks.model.batches import Augmentation, BalancedBatches, TripletBatches
from tasks.model.device_maps import DeviceMaps
from tasks.model.devices import distribute_over
from tasks.model.distances import trained_distance
from tasks.model.monitor import ReportEpoch, TrainingMonitor
from tasks.model.siamese import Adam, BalancedModel, TripletModel
from tasks.model.tower import SCALING_SAMPLE, build_tower, fit_scaling, weights_digest

VALIDATION = 4  # balanced batches of the stop part behind each epoch's validation loss
MIN_CHECKED = 5  # records of a mode in the stop part
MIN_COMPILED_STEPS = 1000  # steps of a training
WATCHED_RECORDS = 512  # records of the stop part whose embeddings are watched


def train(triplets: Stage, config: RunConfig, report: ReportEpoch | None = None) -> Stage:
    """The stage folder with `model.keras` and `history.json`, trained unless it is there already.

    `report` is called with every epoch's line. Deterministic: the same stage and settings give
    bit-identical weights on the same machine, also where a run died between and was taken up again.
    Raises TrainingDiverged or TrainingCollapsed.
    """
    config = config.resolved()
    digest = model_digest(triplets.digest, config, keras.backend.backend())

    def make(draft: Path) -> dict[str, Any]:
        bank = load_bank(triplets.path)
        tower, log, best = fit(bank, config, report, state)
        tower.save(draft / "model.keras")
        write_json(draft / "history.json", {"best_epoch": best, "epochs": [asdict(line) for line in log]})
        return {"weights": weights_digest(tower), "parameters": tower.count_params(), "best_epoch": best}

    stages = ensure_writable(config.stages_path)
    state = stages / f".training-{digest[:16]}.npz"
    try:
        made = get_or_make_stage(stages, "model", digest, make)
    except (TrainingDiverged, TrainingCollapsed):
        state.unlink(missing_ok=True)  # it would only lead there again
        raise
    state.unlink(missing_ok=True)
    return made


def fit(
    bank: Bank, config: RunConfig, report: ReportEpoch | None = None, state: Path | None = None
) -> tuple[keras.Model, list[Epoch], int]:
    """Train a new tower; returns it with the weights that are kept, the log, and their epoch (from 1).

    Where `state` is given, the training is kept there after every epoch, and goes on from there.
    `config` must be resolved. Raises BadSetting for more devices than there are.
    """
    keras.utils.set_random_seed(config.seed)
    with collect_on_exit(), distribute_over(config.fit.devices):
        return _trained(bank, config, report, state)


def _trained(
    bank: Bank, config: RunConfig, report: ReportEpoch | None, state: Path | None
) -> tuple[keras.Model, list[Epoch], int]:
    size, settings = (config.data.rows, config.data.cols), config.fit
    tower = build_tower(config.tower, size, _sample(bank), settings.noise)
    prepare = _balanced if settings.batches == "records" else _offline
    model, batches, validation = prepare(tower, bank, size, config)
    checked = validation.epoch(0)
    model.build_once(checked)
    watch = TrainingMonitor(_monitor(bank), config, len(batches), report, state)
    watch.restore(model)
    while not watch.finished():
        watch.start()
        trained = model.run_epoch(batches.epoch(len(watch.log)), learn=True, told=watch.block)
        watch.end(trained, model.run_epoch(checked, learn=False))
    tower.set_weights(watch.kept_weights)
    return tower, watch.log, watch.kept.epoch


def _offline(
    tower: keras.Model, bank: Bank, size: tuple[int, int], config: RunConfig
) -> tuple[keras.Model, TripletBatches, TripletBatches]:
    """The model, batches and validation of training on triplets that were made before."""
    settings, measure = config.fit, trained_distance(config.fit)
    batches = TripletBatches(_numbered(bank, "train"), settings.batch, config.seed)
    shelf = DeviceMaps(bank.anchors, bank.maps, _used(bank), (0, 1, 2), settings.batch, len(batches))
    model = TripletModel(tower, shelf, measure, settings.margin)
    model.compile(optimizer=_adam(settings, len(batches)), jit_compile=jit(config, len(batches)))
    return model, batches, TripletBatches(_numbered(bank, "stop"), settings.batch, seed=None)


def _balanced(
    tower: keras.Model, bank: Bank, size: tuple[int, int], config: RunConfig
) -> tuple[keras.Model, BalancedBatches, BalancedBatches]:
    """The model, batches and validation of training on records, P modes × K of them at a time."""
    settings, used = config.fit, _used(bank)
    rows = {part: _by_mode(bank, used, part) for part in ("train", "stop")}
    modes = min(settings.modes_per_batch, len(rows["train"]))
    batch = _sized(settings, modes)
    stop = _enough(rows["stop"])
    checked = (min(modes, len(stop)), max(2, min(batch[1], *map(len, stop))))  # no record twice
    steps = _steps(settings, sum(map(len, rows["train"])), math.prod(batch))
    largest = max(math.prod(batch), math.prod(checked))
    shelf = DeviceMaps(bank.anchors[:0], bank.maps, used, (0, 2), largest, max(steps, VALIDATION))
    model = BalancedModel(tower, shelf, size, trained_distance(settings), settings, batch, checked)
    model.compile(optimizer=_adam(settings, steps), jit_compile=jit(config, steps))
    sparse = fit_scaling(_sample(bank), "auto").sparse
    good = np.flatnonzero(bank.good[used] & (bank.part[used] == 0))
    change = Augmentation(settings.shift, settings.overlay if sparse else 0.0, good)
    batches = BalancedBatches(rows["train"], batch, steps, config.seed, change)
    return model, batches, BalancedBatches(stop, checked, VALIDATION, config.seed)


def _enough(rows: list[np.ndarray]) -> list[np.ndarray]:
    """The modes with records enough for a prototype that leaves one out; all where those are fewer than two."""
    enough = [own for own in rows if len(own) >= MIN_CHECKED]
    return enough if len(enough) > 1 else rows


def _steps(settings: TrainingConfig, records: int, batch: int) -> int:
    """Batches an epoch: few records are known by heart after half the steps that many are worth."""
    enough = -(-settings.looks * records // (batch * settings.epochs))
    return min(settings.steps, max(-(-settings.steps // 2), enough))


def _sized(settings: TrainingConfig, modes: int) -> tuple[int, int]:
    """P and K of a batch of so many modes: where they are few, each gives more records."""
    return modes, max(settings.records_per_mode, settings.batch // modes)


def jit(config: RunConfig, steps: int) -> bool | str:
    """XLA's own convolutions are slow on a CPU: TensorFlow does without it but for dense layers.

    Nor is it worth the second or two that it takes to compile where the whole training is as short.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return config.tower.kind == "mlp" and steps * config.fit.epochs >= MIN_COMPILED_STEPS


def _adam(settings: TrainingConfig, steps: int) -> Adam:
    if settings.schedule == "constant":
        return Adam(settings.learning_rate)
    return Adam(keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs))


def _used(bank: Bank) -> np.ndarray:
    """The records of train and stop: all that training may see."""
    return np.concatenate([bank.rows("train"), bank.rows("stop")])


def _by_mode(bank: Bank, used: np.ndarray, part: str) -> list[np.ndarray]:
    """A part's records as rows of `used`, for each mode that it holds."""
    own = np.flatnonzero(np.isin(used, bank.rows(part)))
    return [own[bank.mode[used[own]] == code] for code in np.unique(bank.mode[used[own]])]


def _numbered(bank: Bank, part: str) -> np.ndarray:
    """A part's triplets as rows of the anchors and then of `_used`, (t, 3) int32."""
    used = _used(bank)
    number = np.zeros(len(bank.maps), np.int32)
    number[used] = np.arange(len(used)) + len(bank.anchors)
    triplets = bank.triplets[part]
    return np.column_stack([triplets[:, 0], number[triplets[:, 1:]]]).astype(np.int32)


def _sample(bank: Bank) -> np.ndarray:
    """The training records from which the scaling is learnt, evenly spread over all."""
    rows = bank.rows("train")
    return bank.maps[rows[:: max(1, -(-len(rows) // SCALING_SAMPLE))]]


def _monitor(bank: Bank) -> np.ndarray:
    rows = bank.rows("stop")
    return np.array(bank.maps[rows[:: max(1, len(rows) // WATCHED_RECORDS)]])


def main(words: list[str] | None = None) -> int:
    """`python -m tasks.train STAGE`: train from a triplets stage, without Prefect; prints the model's folder."""
    command = argparse.ArgumentParser(prog="python -m tasks.train", description="Train a tower from a triplets stage.")
    command.add_argument("stage", type=Path, help="a triplets stage, such as data/stages/triplets-0123456789abcdef")
    command.add_argument(
        "--data", default="data", metavar="DIR", help="folder under which the model's stage is written"
    )
    command.add_argument("--preset", default=RunConfig.preset, help=f"one of {', '.join(PRESETS)}")
    command.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    arguments = command.parse_args(words)
    try:
        config = apply_overrides(RunConfig(preset=arguments.preset, data_folder=arguments.data), arguments.settings)
        stage = read_stage(arguments.stage)
        rows, cols = stage.facts["size"]
        print(train(stage, replace(config, data=replace(config.data, rows=rows, cols=cols))).path)
    except KensaError as error:
        print(f"kensa: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def read_stage(folder: Path) -> Stage:
    """A sound triplets stage on disk; DamagedStage where it is none."""
    facts = verified_manifest(folder)
    if facts is None or "triplets_train" not in facts or "size" not in facts:
        raise DamagedStage(f"{folder}: expected a sound triplets stage; kensa retrain makes one under its data folder")
    return Stage(str(folder), facts["digest"], facts, reused=True)


if __name__ == "__main__":
    sys.exit(main())
