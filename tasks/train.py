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
from tasks.config.good_parts import model_settings
from tasks.config.model import PRESETS, TrainingConfig
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.errors import DamagedStage, KensaError, TrainingCollapsed, TrainingDiverged
from tasks.core.files import digest_of, ensure_writable, file_digest, write_json
from tasks.core.gc_tuning import collect_on_exit
from tasks.core.own_code import keep_own_code
from tasks.core.results import Epoch, Stage
from tasks.core.stages import get_or_make_stage, verified_manifest
from tasks.data.bank import Bank, evenly_spread, load_bank
from tasks.data.columns import on_disk, row_blocks, zeros_on_disk
from tasks.model.batches import Augmentation, BalancedBatches, TripletBatches
from tasks.model.device_maps import DeviceMaps
from tasks.model.devices import distribute_over, resident_map_bytes
from tasks.model.distances import trained_distance
from tasks.model.monitor import ReportEpoch, TrainingMonitor
from tasks.model.siamese import Adam, BalancedModel, TripletModel
from tasks.model.tower import SCALING_SAMPLE, build_tower, fit_scaling, reset_number_format, weights_digest
from tasks.model.unit_space import raw_map_tower
from tasks.model.validation import Validation

MIN_COMPILED_STEPS = 1000  # of a training


def train(triplets: Stage, config: RunConfig, report: ReportEpoch | None = None) -> Stage:
    """The stage folder with `model.keras` and `history.json`, trained unless it is there already.

    Of good parts alone nothing is trained: the tower is the raw map (tasks/model/unit_space.py), or
    that of the release whose folder is `zero.parent`.

    `report` is called with every epoch. Deterministic on one machine: the same stage and settings give bit-identical
    weights, also where a run died and was resumed. Raises TrainingDiverged, TrainingCollapsed, or BadSetting where code
    of your own is not found.
    """
    config = model_settings(config, triplets.facts)
    digest = model_digest(triplets.digest, config, keras.backend.backend())
    if triplets.facts.get("good_alone"):
        stages, parent = ensure_writable(config.stages_path), config.zero.parent
        digest = digest_of(digest, file_digest(Path(parent) / "model.keras")) if parent else digest
        return get_or_make_stage(stages, "model", digest, lambda draft: _write_untrained(triplets, config, draft))

    def make(draft: Path) -> dict[str, Any]:
        keep_own_code((config.tower.kind, config.fit.distance), draft)  # first: a user may edit it meanwhile
        tower, log, best = fit(load_bank(triplets.path), config, report, state, draft)
        tower.save(draft / "model.keras")
        write_json(draft / "history.json", {"best_epoch": best, "epochs": [asdict(line) for line in log]})
        return {"weights": weights_digest(tower), "parameters": tower.count_params(), "best_epoch": best}

    stages = ensure_writable(config.stages_path)
    state = stages / f".training-{digest[:16]}.npz"
    try:
        model = get_or_make_stage(stages, "model", digest, make)
    except (TrainingDiverged, TrainingCollapsed):
        state.unlink(missing_ok=True)  # resumed from it, the training would fail again
        raise
    state.unlink(missing_ok=True)
    return model


def _write_untrained(triplets: Stage, config: RunConfig, draft: Path) -> dict[str, Any]:
    """The tower for good parts alone: the raw map, or that of `zero.parent`; and a log without epochs."""
    if config.zero.parent:
        reset_number_format()
        tower = keras.saving.load_model(Path(config.zero.parent) / "model.keras", compile=False)
    else:
        tower = raw_map_tower((config.data.rows, config.data.cols), _scaling_maps(load_bank(triplets.path), draft))
    tower.save(draft / "model.keras")
    write_json(draft / "history.json", {"best_epoch": 0, "epochs": []})
    return {"weights": weights_digest(tower), "parameters": tower.count_params(), "best_epoch": 0}


def fit(
    bank: Bank,
    config: RunConfig,
    report: ReportEpoch | None = None,
    state: Path | None = None,
    folder: Path | None = None,
) -> tuple[keras.Model, list[Epoch], int]:
    """Train a new tower; returns it with the weights that are kept, the log, and their epoch (from 1).

    The training is saved to the file `state` after every epoch, and resumed from it where it exists. Row numbers are in
    files without a name in `folder`. `config` must be resolved. Raises BadSetting for more devices than there are.
    """
    with collect_on_exit(), distribute_over(config.fit.devices):
        model, batches, validation = prepare_training(bank, config, folder)
        validation_batches = validation.epoch(0) if validation else None
        monitor = TrainingMonitor(Validation(bank, config, folder), config, len(batches), report, state)
        monitor.restore(model)
        while not monitor.finished():
            training = model.run_epoch(batches.epoch(len(monitor.log)), training=True, report=monitor.end_block)
            loss = model.run_epoch(validation_batches, training=False)["mean"] if validation_batches else None
            monitor.end_epoch(training, loss)
        model.tower.set_weights(monitor.kept_weights)
    return model.tower, monitor.log, monitor.kept.epoch


def prepare_training(
    bank: Bank, config: RunConfig, folder: Path | None = None
) -> tuple[TripletModel, TripletBatches, TripletBatches] | tuple[BalancedModel, BalancedBatches, None]:
    """A compiled model around a new tower, its batches, and offline triplets to validate by; the seed decides all."""
    size = config.data.rows, config.data.cols
    tower = build_tower(config.tower, size, _scaling_maps(bank, folder), config.fit.noise, config.seed)
    prepare = _prepare_balanced if config.fit.batches == "records" else _prepare_triplets
    model, batches, validation = prepare(tower, bank, config, folder)
    steps = len(batches)
    model.compile(optimizer=_adam(config.fit, steps), jit_compile=jit(config, steps))
    model.build_once(batches.epoch(0))
    return model, batches, validation


def _prepare_triplets(
    tower: keras.Model, bank: Bank, config: RunConfig, folder: Path | None
) -> tuple[TripletModel, TripletBatches, TripletBatches]:
    """Training on triplets that were made before."""
    settings, used = config.fit, bank.rows_on_disk(("train", "stop"), folder)  # all that training may see
    train, stop = (_numbered_triplets(bank, part, used, folder) for part in ("train", "stop"))
    batches = TripletBatches(train, settings.batch, config.seed, folder)
    resident = resident_map_bytes()
    maps = DeviceMaps(bank.anchors, bank.maps, used, (0, 1, 2), settings.batch, len(batches), resident)
    model = TripletModel(tower, maps, trained_distance(settings), settings.margin)
    return model, batches, TripletBatches(stop, settings.batch, None, folder)


def _prepare_balanced(
    tower: keras.Model, bank: Bank, config: RunConfig, folder: Path | None
) -> tuple[BalancedModel, BalancedBatches, None]:
    """Training on records, P modes × K of them at a time."""
    settings, used = config.fit, bank.rows_on_disk(("train",), folder)
    good = on_disk((np.flatnonzero(bank.good[used[b]]) + b.start for b in row_blocks(len(used))), np.int32, folder)
    rows = [places for places in bank.places_by_mode(used, folder) if len(places)]
    modes = min(settings.modes_per_batch, len(rows))
    batch = (modes, max(settings.records_per_mode, settings.batch // modes))  # few modes: more records of each
    steps = steps_per_epoch(settings, sum(map(len, rows)), math.prod(batch))
    maps = DeviceMaps(bank.anchors[:0], bank.maps, used, (0, 2), math.prod(batch), steps, resident_map_bytes())
    copies = min(map(len, rows)) < batch[1]
    model = BalancedModel(tower, maps, (config.data.rows, config.data.cols), settings, batch, copies)
    overlay = settings.overlay if fit_scaling(_scaling_maps(bank, folder), "auto").sparse else 0.0
    batches = BalancedBatches(rows, batch, steps, config.seed, Augmentation(settings.shift, overlay, good))
    return model, batches, None


def steps_per_epoch(settings: TrainingConfig, records: int, batch: int) -> int:
    """How many batches an epoch has: few records need fewer, but half of the setting at least."""
    enough = -(-settings.looks * records // (batch * settings.epochs))
    return min(settings.steps, max(-(-settings.steps // 2), enough))


def jit(config: RunConfig, steps: int) -> bool | str:
    """Whether XLA compiles the training. On TensorFlow only long trainings of dense layers.

    XLA's own convolutions are slow on a CPU, and compiling takes a second or two, as long as a short training.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    return config.tower.kind == "mlp" and steps * config.fit.epochs >= MIN_COMPILED_STEPS


def _adam(settings: TrainingConfig, steps: int) -> Adam:
    if settings.schedule == "constant":
        return Adam(settings.learning_rate)
    return Adam(keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs))


def _numbered_triplets(bank: Bank, part: str, used: np.ndarray, folder: Path | None) -> np.ndarray:
    """A part's triplets as rows of the anchors and then of the rows `used`, (t, 3) int32."""
    triplets, number = bank.triplets[part], zeros_on_disk(len(bank.part), np.int32, folder)
    for rows in row_blocks(len(used)):
        number[used[rows]] = np.arange(rows.start, rows.stop) + len(bank.anchors)
    blocks = (np.column_stack([triplets[rows, 0], number[triplets[rows, 1:]]]) for rows in row_blocks(len(triplets)))
    return on_disk(blocks, np.int32, folder).reshape(-1, 3)


def _scaling_maps(bank: Bank, folder: Path | None) -> np.ndarray:
    """The training records from which the scaling is learnt, evenly spread over all."""
    return bank.maps[evenly_spread(bank.rows_on_disk(("train",), folder), SCALING_SAMPLE)]


def main(words: list[str] | None = None) -> int:
    """`python -m tasks.train STAGE`: train from a triplets stage, without Prefect; prints the model's folder."""
    parser = argparse.ArgumentParser(prog="python -m tasks.train", description="Train a tower from a triplets stage.")
    parser.add_argument("stage", type=Path, help="a triplets stage, such as data/stages/triplets-0123456789abcdef")
    parser.add_argument("--data", default="data", metavar="DIR", help="folder under which the model's stage is written")
    parser.add_argument("--preset", default=RunConfig.preset, help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--set", action="append", default=[], metavar="key=value", dest="settings")
    arguments = parser.parse_args(words)
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
