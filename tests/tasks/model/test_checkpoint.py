"""A training that died goes on from its last epoch, to the same weights as if it had not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support import inspected_parts as parts
from support.project import ROOT

from tasks.core.results import Epoch
from tasks.model.checkpoint import TrainingCheckpoint, load_checkpoint, save_checkpoint
from tasks.train import main

LINE = Epoch(1, 0.5, 0.4, 0.9, norm=1.0, spread=0.8, seconds=0.1)
STATE = TrainingCheckpoint(
    [np.arange(6.0).reshape(2, 3), np.ones(2)], [np.array(7), np.zeros(3)], [np.full((2, 3), 2.0)], [LINE]
)
# A process that ends itself as kill -9 would, in the middle of writing an epoch.
DYING = """
import os, signal, sys, tempfile
import tasks.model.monitor, tasks.model.checkpoint
from tasks.core.files import draft_prefix
from tasks.train import main
saved, epoch = tasks.model.monitor.save_checkpoint, int(sys.argv[1])
def dying(path, state):
    if len(state.log) < epoch:
        return saved(path, state)
    descriptor, _ = tempfile.mkstemp(dir=path.parent, prefix=draft_prefix(path.name))
    os.write(descriptor, b"half")
    os.kill(os.getpid(), signal.SIGKILL)
tasks.model.monitor.save_checkpoint = dying
sys.exit(main(sys.argv[2:]))
"""
SETTINGS = ("tower.widths=16-8", "fit.learning_rate=0.003", "fit.epochs=8", "fit.patience=8")
WORDS = [word for setting in SETTINGS for word in ("--set", setting)]


def same(one: TrainingCheckpoint, two: TrainingCheckpoint) -> bool:
    lists = ((getattr(one, name), getattr(two, name)) for name in ("tower", "optimizer", "best"))
    equal = all(np.array_equal(a, b) and a.dtype == b.dtype for x, y in lists for a, b in zip(x, y, strict=True))
    return equal and one.log == two.log


class TestTheFile:
    def test_what_was_saved_is_loaded(self, tmp_path):
        save_checkpoint(tmp_path / "state.npz", STATE)
        assert same(load_checkpoint(tmp_path / "state.npz"), STATE)
        assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]

    def test_more_than_ten_variables_keep_their_order(self, tmp_path):
        many = TrainingCheckpoint([np.array(i) for i in range(12)], [], [], [LINE])
        save_checkpoint(tmp_path / "state.npz", many)
        assert [int(value) for value in load_checkpoint(tmp_path / "state.npz").tower] == list(range(12))

    def test_two_trainings_of_the_same_model_do_not_take_each_others_file(self, tmp_path):
        path = tmp_path / "state.npz"
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: save_checkpoint(path, STATE), range(200)))
        assert same(load_checkpoint(path), STATE)
        assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]

    def test_none_is_no_error(self, tmp_path):
        assert load_checkpoint(tmp_path / "state.npz") is None

    @pytest.mark.parametrize("share", [0, 0.3, 0.9], ids=["empty", "a third", "most"])
    def test_a_cut_file_is_removed_and_training_starts_anew(self, tmp_path, share):
        path = tmp_path / "state.npz"
        save_checkpoint(path, STATE)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert load_checkpoint(path) is None
        assert not path.exists()

    def test_every_flipped_byte_of_the_arrays_is_seen(self, tmp_path):
        """The file's checksums cover the arrays; a flip elsewhere is seen or changes nothing."""
        path = tmp_path / "state.npz"
        save_checkpoint(path, STATE)
        content = path.read_bytes()
        for place in range(0, len(content), 7):
            flipped = bytearray(content)
            flipped[place] ^= 0xFF
            path.write_bytes(flipped)
            found = load_checkpoint(path)
            assert found is None or same(found, STATE), place

    def test_another_kind_of_file_is_refused_without_unpickling(self, tmp_path):
        path = tmp_path / "state.npz"
        np.savez(path, log=np.array([object()], dtype=object))
        assert load_checkpoint(path) is None


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A triplets stage of 180 small records."""
    return parts.split_stage(parts.map_column(parts.inspected(modes=3, each=60)), tmp_path_factory.mktemp("stage"))


def words(stage, data):
    """What follows `python -m tasks.train`."""
    return [stage.path, "--data", str(data), *WORDS]


def weights(folder):
    return json.loads((Path(folder) / "manifest.json").read_text())["weights"]


def log(folder):
    """The history without the clock."""
    told = json.loads((Path(folder) / "history.json").read_text())
    return told["best_epoch"], [{k: v for k, v in line.items() if k != "seconds"} for line in told["epochs"]]


@pytest.mark.slow
def test_killed_in_the_middle_of_writing_an_epoch(stage, tmp_path, capsys):
    """It goes on from the last whole epoch, in another process, to the weights and the log of one go."""
    disturbed, one_go = tmp_path / "disturbed", tmp_path / "one-go"
    killed = subprocess.run(
        [sys.executable, "-c", DYING, "5", *words(stage, disturbed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(list((disturbed / "stages").glob(".training-*"))) >= 1
    assert main(words(stage, disturbed)) == 0
    folder, err = capsys.readouterr()
    assert "epoch   4/8" not in err, "it must not start anew"
    assert "epoch   5/8" in err
    assert main(words(stage, one_go)) == 0
    other = capsys.readouterr().out
    assert weights(folder.strip()) == weights(other.strip())
    assert log(folder.strip()) == log(other.strip())
    assert [path.name for path in (disturbed / "stages").iterdir()] == [Path(folder.strip()).name]


def test_saving_is_quick(tmp_path):
    """A tower of the notebook's size with Adam's moments (4 MB each) within a second."""
    big = [np.zeros((1404, 700), np.float32)]
    began = time.monotonic()
    save_checkpoint(tmp_path / "state.npz", TrainingCheckpoint(big, big * 2, big, [LINE]))
    assert time.monotonic() - began < 1
