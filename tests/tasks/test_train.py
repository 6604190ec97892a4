"""Training: the recipe by hand, the same bits every time, on any backend, without Prefect; and dead ones refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from support import inspected_parts as parts
from support.project import ROOT
from support.trainings import notebook_run

from tasks.config.fingerprints import model_digest
from tasks.config.model import TowerConfig, TrainingConfig
from tasks.config.run import RunConfig
from tasks.core.errors import TrainingCollapsed, TrainingDiverged
from tasks.core.results import Epoch, Stage
from tasks.data import columns
from tasks.data.bank import Bank, load_bank
from tasks.evaluation.metrics import pair_metrics
from tasks.model.batches import EpochBatches, TripletBatches
from tasks.model.classifier import fit_prototypes
from tasks.model.distances import distance
from tasks.model.embeddings import EmbeddedBank, make_encoder
from tasks.model.tower import build_tower, weights_digest
from tasks.train import fit, jit, main, train

EUCLIDEAN = distance("euclidean")

# Nothing of `blocked` can be imported in the child, as on a machine that has never seen it.
WITHOUT = """
import runpy, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(name + " is not on this machine")
sys.meta_path.insert(0, Blocker())
"""
RUN = "runpy.run_module('tasks.train', run_name='__main__', alter_sys=True)\n"
FIRST_EPOCH = """
import numpy as np
import tasks.train
from tasks.data.bank import load_bank
from tasks.config.model import TrainingConfig, TowerConfig
from tasks.config.run import DataConfig, RunConfig
from tasks.model.tower import build_tower
folder, weights = sys.argv[1:]
def begun(*given):
    tower = build_tower(*given)
    with np.load(weights) as given:
        tower.set_weights([given[name] for name in given.files])
    return tower
tasks.train.build_tower = begun
tower, quick = TowerConfig(widths="16-8"), TrainingConfig(learning_rate=0.003, epochs=2)
config = RunConfig(preset="notebook", data=DataConfig(rows=4, cols=5), tower=tower, fit=quick).resolved()
_, log, _ = tasks.train.fit(load_bank(folder), config)
print([[line.loss, line.val_loss, line.active] for line in log])
"""
UNNEEDED = {"prefect", "pyarrow", "pandas", "matplotlib", "datasets", "sklearn", "scipy", "filelock", "tqdm"}


@pytest.fixture(scope="module")
def bank() -> Bank:
    return parts.banked(parts.inspected(modes=3, each=60))


@pytest.fixture(scope="module")
def quick(bank: Bank) -> tuple[keras.Model, list[Epoch], int]:
    """A training of three epochs: tower, log, and the best epoch."""
    return fit(bank, notebook_run())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return parts.split_stage(parts.map_column(parts.inspected(modes=3, each=60)), tmp_path_factory.mktemp("stage"))


def test_the_notebooks_tower():
    """1404·512 + 512, 512·256 + 256, 256·128 + 128: ReLU, ReLU, linear."""
    tower = build_tower(RunConfig(preset="notebook").resolved().tower, (36, 39))
    assert tower.count_params() == 719_360 + 131_328 + 32_896 == 883_584
    assert [layer.activation.__name__ for layer in tower.layers[1:]] == ["relu", "relu", "linear"]
    assert tower.output_shape == (None, 128)
    assert {weight.dtype for weight in tower.weights} == {"float32"}


def test_every_triplet_once_an_epoch_in_an_order_of_seed_and_epoch():
    triplets = np.arange(30).reshape(10, 3)
    first, again, other = TripletBatches(triplets, 4, 1), TripletBatches(triplets, 4, 1), TripletBatches(triplets, 4, 2)
    assert first.epoch(0).weights.tolist() == [[1] * 4, [1] * 4, [1, 1, 0, 0]]

    def order(batches: TripletBatches, epoch: int = 0) -> list[int]:
        drawn = batches.epoch(epoch)
        return drawn.rows[drawn.weights > 0][:, 0].tolist()

    before = order(first)
    assert sorted(before) == list(range(0, 30, 3))
    assert order(again) == before != order(other)
    assert sorted(order(first, 1)) == sorted(before)
    assert order(first, 1) != before
    assert order(TripletBatches(triplets, 4, None), 1) == sorted(before)


@pytest.mark.parametrize("rows_at_once", [3, 1 << 16])
def test_an_epochs_order_is_numpys_permutation_whatever_is_drawn_at_once(monkeypatch, rows_at_once):
    """As Kensa's first trainings drew it: their weights are made again bit by bit."""
    monkeypatch.setattr(columns, "BLOCK_ROWS", rows_at_once)
    triplets = np.arange(30, dtype=np.int32).reshape(10, 3)
    drawn = TripletBatches(triplets, 4, 5).epoch(2)
    expected = triplets[np.random.default_rng([5, 2]).permutation(10)]
    np.testing.assert_array_equal(drawn.rows.reshape(-1, 3), np.concatenate([expected, np.zeros((2, 3), np.int32)]))
    assert (drawn.rows.dtype, drawn.weights.dtype) == (np.int32, np.float32)


def test_blocks_have_one_shape_and_hold_every_batch():
    drawn = EpochBatches(np.arange(7 * 2 * 3).reshape(7, 2, 3), np.ones((7, 2), np.float32))
    for size in (1, 2, 4, 7, 9):
        blocks = list(drawn.blocks(size))
        assert {block.rows.shape for block, _ in blocks} == {(min(size, 7), 2, 3)}
        assert np.array_equal(np.concatenate([block.rows[:count] for block, count in blocks]), drawn.rows)


def test_training_sees_anchors_train_and_stop_and_nothing_else(bank, quick):
    """Calibration and test records turned into NaN: nothing changes."""
    hidden = bank.maps.copy()
    hidden[bank.part >= 2] = np.nan
    assert weights_digest(fit(replace(bank, maps=hidden), notebook_run())[0]) == weights_digest(quick[0])


@pytest.mark.slow
def test_the_seed_decides_every_bit(bank, quick):
    again, other = (fit(bank, replace(notebook_run(), seed=seed))[0] for seed in (42, 43))
    assert weights_digest(quick[0]) == weights_digest(again) != weights_digest(other)


@pytest.mark.slow
def test_training_learns(hidden):
    """Modes that only a trained tower tells apart: over seeds and backends the AUROC is .96 or more."""
    bank = parts.banked(hidden())
    tower, log, _ = fit(
        bank, replace(notebook_run(epochs=5, learning_rate=0.01), tower=TowerConfig(widths="64-32-8")).resolved()
    )
    assert log[-1].loss < 0.3 * log[0].loss
    assert log[-1].active < 0.5 * log[0].active
    judge = fit_prototypes("x", EmbeddedBank(make_encoder(tower), bank), EUCLIDEAN, "mean-embedding")
    rows = bank.rows("test")
    assert pair_metrics(judge.mode_distances(judge.embed(bank.maps[rows])), bank.mode[rows]).auroc > 0.92


@pytest.mark.slow
def test_the_log_is_the_loss_of_the_saved_weights():
    """On noise the early epochs are the best: their validation loss, computed anew from the returned tower."""
    bank, seen = parts.banked(parts.noise(6, 40, values=20)), []
    tower, log, best = fit(bank, notebook_run(epochs=99), seen.append)
    assert best + 2 == len(log) < 99
    assert seen == log
    assert [line.epoch for line in log] == list(range(1, len(log) + 1))
    assert log[best - 1].val_loss == min(line.val_loss for line in log)
    embed = make_encoder(tower)
    anchor, positive, negative = bank.triplets["stop"].T
    anchors, maps = embed(bank.anchors), embed(bank.maps)
    near, far = EUCLIDEAN.pair(anchors[anchor], maps[positive]), EUCLIDEAN.pair(anchors[anchor], maps[negative])
    assert np.maximum(near - far + 0.4, 0).mean() == pytest.approx(log[best - 1].val_loss, abs=1e-5)


@pytest.mark.slow
def test_maps_beyond_all_measure_diverge(bank):
    with pytest.raises(TrainingDiverged, match=r"epoch 1: the loss is (nan|inf); lower fit\.learning_rate"):
        fit(replace(bank, maps=bank.maps * np.float32(1e30), anchors=bank.anchors * np.float32(1e30)), notebook_run())


@pytest.mark.slow
def test_identical_maps_collapse(bank):
    same = replace(bank, maps=np.ones_like(bank.maps), anchors=np.ones_like(bank.anchors))
    with pytest.raises(TrainingCollapsed, match=r"every record has the same embedding \(loss 0.4000, margin 0.4\)"):
        fit(same, notebook_run())


def test_xla_is_for_long_trainings_of_dense_layers(monkeypatch):
    """119 steps by 20 epochs are worth compiling, 3 epochs of them are not; convolutions never are on a CPU."""
    notebook, best = (RunConfig(preset=preset).resolved() for preset in ("notebook", "best"))
    monkeypatch.setattr("keras.backend.backend", lambda: "tensorflow")
    assert jit(notebook, 119) is True
    assert jit(replace(notebook, fit=replace(notebook.fit, epochs=3)), 119) is False
    assert jit(best, 50) is False
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    assert jit(best, 50) == "auto"


# Taken up again


def died_after(epochs: int, bank: Bank, config: RunConfig, state: Path) -> None:
    """A training whose process is gone when it begins to tell of the epoch after `epochs`."""

    def dying(line: Epoch) -> None:
        if line.epoch > epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(bank, config, dying, state)


LONGER = notebook_run(epochs=5, patience=9, learning_rate=3e-4)


@pytest.fixture(scope="module")
def undisturbed(bank: Bank) -> tuple[keras.Model, list[Epoch], int]:
    """A training of five epochs in one go."""
    return fit(bank, LONGER)


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 3])
def test_a_training_that_died_goes_on_to_the_same_bits(bank, undisturbed, tmp_path, epochs):
    (tower_of_one_go, log, best), config, lines = undisturbed, LONGER, []
    died_after(epochs, bank, config, tmp_path / "state.npz")
    tower, again, best_again = fit(bank, config, lines.append, tmp_path / "state.npz")
    assert weights_digest(tower) == weights_digest(tower_of_one_go)
    assert best_again == best
    assert [replace(line, seconds=0) for line in again] == [replace(line, seconds=0) for line in log]
    assert [line.epoch for line in lines] == list(range(epochs + 1, 6))


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_state_starts_anew(bank, undisturbed, tmp_path, damage):
    state, lines = tmp_path / "state.npz", []
    died_after(2, bank, LONGER, state)
    content = bytearray(state.read_bytes())
    content[len(content) // 2] ^= 0xFF
    state.write_bytes(content if damage == "flipped" else content[:-100])
    tower, _, _ = fit(bank, LONGER, lines.append, state)
    assert [line.epoch for line in lines] == [1, 2, 3, 4, 5]
    assert weights_digest(tower) == weights_digest(undisturbed[0])


# The stage


def test_a_model_stage_is_made_once(stage, tmp_path):
    config = parts.configured(tmp_path)
    lines: list[Epoch] = []
    made = train(stage, config, lines.append)
    again = train(stage, config, lines.append)
    assert (made.reused, again.reused) == (False, True)
    assert len(lines) == 3
    assert [path.name for path in Path(made.path).parent.iterdir()] == [Path(made.path).name]
    assert made.facts["parameters"] == 20 * 16 + 16 + 16 * 8 + 8
    history = json.loads((Path(made.path) / "history.json").read_text())
    assert history["best_epoch"] == made.facts["best_epoch"]
    assert [line["loss"] for line in history["epochs"]] == [line.loss for line in lines]


def test_the_stages_name_knows_what_training_reads(tmp_path):
    def named(backend: str = "tensorflow", **changes: Any) -> str:
        return model_digest("bank", parts.configured(tmp_path, **changes), backend)

    plain = named(fit=TrainingConfig(epochs=1))
    assert named(fit=TrainingConfig(epochs=1, margin=0.4)) == plain  # the preset's own
    assert named(fit=TrainingConfig(epochs=1), revision="other", artifacts_folder="other") == plain
    others = [
        named(fit=TrainingConfig(epochs=1, margin=0.5)),
        named(fit=TrainingConfig(epochs=1, distance="cosine")),
        named(fit=TrainingConfig(epochs=1), seed=1),
        named(fit=TrainingConfig(epochs=1), tower=TowerConfig(widths="16-4")),
        named(fit=TrainingConfig(epochs=1), backend="jax"),
    ]
    assert len({plain, *others}) == 6


@pytest.mark.slow
def test_a_dead_training_leaves_no_stage(tmp_path):
    part = parts.inspected(modes=3, each=60)
    huge = replace(part, maps=part.maps * np.float32(1e30))
    dead = parts.split_stage(parts.map_column(huge), tmp_path)
    with pytest.raises(TrainingDiverged):
        train(dead, parts.configured(tmp_path))
    assert [path.name for path in (tmp_path / "data" / "stages").iterdir()] == [Path(dead.path).name]


def test_the_saved_model_is_plain_and_loads_in_safe_mode(stage, tmp_path):
    made = train(stage, parts.configured(tmp_path))
    path = Path(made.path) / "model.keras"
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    assert weights_digest(loaded) == made.facts["weights"]
    assert {type(layer).__name__ for layer in loaded.layers} == {"InputLayer", "Dense"}
    with zipfile.ZipFile(path) as packed:
        assert set(packed.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
        config = packed.read("config.json").decode()
    assert "Lambda" not in config
    assert "tasks." not in config  # no class of ours: any Keras reads it
    maps = np.asarray(load_bank(stage.path).maps)
    assert make_encoder(loaded)(maps).shape == (180, 8)


def test_weights_digests_know_values_shapes_and_types():
    def digest(*weights: np.ndarray) -> str:
        return weights_digest(SimpleNamespace(get_weights=lambda: list(weights)))

    ones = np.ones((2, 3), np.float32)
    assert digest(ones) == digest(np.asfortranarray(ones))
    others = [ones, ones.T, ones.astype(np.float64), ones + np.float32(1e-7), np.ones(6, np.float32)]
    assert len({digest(other) for other in others}) == 5


# The command


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["absent"], "absent: expected a sound triplets stage"),
        ([".", "--preset", "nobody"], "preset: expected 'best' or 'rt' or 'notebook', found 'nobody'"),
        ([".", "--set", "fit.epoch=3"], "did you mean fit.epochs"),
        ([".", "--set", "tower.widths=x"], "widths: expected positive numbers"),
    ],
)
def test_the_commands_mistakes_are_one_line(capsys, words, told):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.startswith("kensa: ")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_the_command_refuses_a_damaged_stage(stage, tmp_path, capsys):
    folder = tmp_path / "triplets-copy"
    folder.mkdir()
    for path in Path(stage.path).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "maps.npy").write_bytes(b"")
    assert main([str(folder), "--data", str(tmp_path / "data")]) == 2
    assert "expected a sound triplets stage" in capsys.readouterr().err
    model = train(stage, parts.configured(tmp_path))
    assert main([model.path]) == 2  # a stage, but no triplets


def child(script: str, *words: str, backend: str = "tensorflow", blocked: set[str] = frozenset()) -> subprocess.Popen:
    code = WITHOUT.format(blocked=sorted(blocked)) + script
    env = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    house = ROOT
    return subprocess.Popen([sys.executable, "-c", code, *words], env=env, cwd=house, stdout=-1, stderr=-1, text=True)


def answer(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.splitlines()[-1]


@pytest.mark.slow
def test_two_processes_make_the_same_bits_and_one_has_no_prefect(stage, tmp_path):
    """`python -m tasks.train` with and without all that training does not need."""
    words = ["--preset", "notebook", "--set", "tower.widths=64-32", "--set", "fit.epochs=3"]
    twins = [
        child(RUN, stage.path, "--data", str(tmp_path / name), *words, blocked=blocked)
        for name, blocked in (("bare", UNNEEDED), ("full", set()))
    ]
    folders = [Path(answer(twin)) for twin in twins]
    facts = [json.loads((folder / "manifest.json").read_text()) for folder in folders]
    assert facts[0]["weights"] == facts[1]["weights"]
    assert folders[0].name == folders[1].name
    histories = [json.loads((folder / "history.json").read_text())["epochs"] for folder in folders]
    losses = [[(line["loss"], line["val_loss"]) for line in history] for history in histories]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_jax_alone_trains_alike(stage, tmp_path):
    """From the same first weights, with TensorFlow out of reach: the losses of both backends agree to 10⁻⁴."""
    weights = tmp_path / "weights.npz"
    np.savez(weights, *build_tower(notebook_run().tower, (4, 5)).get_weights())
    runs = [
        child(FIRST_EPOCH, stage.path, str(weights), backend=backend, blocked=blocked)
        for backend, blocked in (("tensorflow", set()), ("jax", UNNEEDED - {"scipy"} | {"tensorflow"}))
    ]
    in_tensorflow, in_jax = (json.loads(answer(run)) for run in runs)
    np.testing.assert_allclose(in_jax, in_tensorflow, atol=1e-4)
