"""TensorBoard: event files that its own reader reads, and the projector's files, which its own server serves."""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import time

import httpx
import numpy as np
import pytest
from support.prefect_server import free_port
from support.project import BIN

from flows.trackers import tensorboard
from flows.trackers.finished_run import FinishedRun
from flows.trackers.tensorboard import configured_hook, map_pictures
from tasks.core.errors import MissingExtra
from tasks.registry.gallery import Gallery

BEGAN = datetime.datetime(2026, 11, 29, 14, 0, tzinfo=datetime.UTC)
ENDED = BEGAN + datetime.timedelta(minutes=5)


@pytest.fixture
def release(small_line):
    return (small_line.artifacts_path / "releases" / "v1").resolve()


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.setenv("KENSA_TENSORBOARD_LOGDIR", str(tmp_path / "logs"))
    return tmp_path / "logs"


def finished(folder, **changes):
    record = {"run": "0123456789", "line": "boards", "status": "released", "release": "v1", "train": "boards"}
    return FinishedRun(
        **record | {"folder": folder, "sources": (), "metrics": {}, "began": BEGAN, "ended": ENDED} | changes
    )


def test_without_its_setting_there_is_no_hook(monkeypatch, logs):
    assert configured_hook().folder == logs
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="make setup EXTRAS=tensorboard"):
        configured_hook()
    monkeypatch.delenv("KENSA_TENSORBOARD_LOGDIR")
    assert configured_hook() is None


def test_curves_and_metrics_are_read_by_its_own_reader(release, logs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    configured_hook().send(finished(release))
    events = EventAccumulator(str(logs / "kensa-boards" / "v1"))
    events.Reload()
    epochs = json.loads((release / "report.json").read_text())["history"]["epochs"]
    losses = events.Scalars("training/loss")
    assert [loss.step for loss in losses] == [epoch["epoch"] for epoch in epochs]
    np.testing.assert_allclose([loss.value for loss in losses], [epoch["loss"] for epoch in epochs], rtol=1e-6)
    assert BEGAN.timestamp() < losses[0].wall_time < losses[-1].wall_time == ENDED.timestamp()
    (auroc,) = events.Scalars("metrics/auroc")
    assert auroc.value == pytest.approx(json.loads((release / "manifest.json").read_text())["metrics"]["auroc"])


@pytest.mark.slow
def test_its_server_shows_the_embeddings(release, logs):
    configured_hook().send(finished(release))
    gallery, port = Gallery.load(release), free_port()
    command = [
        BIN / "tensorboard",
        "--logdir",
        logs,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--load_fast",
        "false",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        info = ask(server, port, "info?run=kensa-boards/v1").json()
        (embedding,) = info["embeddings"]
        assert embedding["tensorShape"] == list(gallery.embedded.shape)
        query = f"?run=kensa-boards/v1&name={embedding['tensorName']}"
        vectors = np.frombuffer(ask(server, port, f"tensor{query}").content, np.float32)
        np.testing.assert_allclose(vectors, gallery.embedded.ravel(), rtol=1e-5, atol=1e-7)
        header, *rows = ask(server, port, f"metadata{query}").text.splitlines()
        assert header.split("\t") == ["mode", "label", "part", "group"]
        assert [row.split("\t")[1] == "good" for row in rows] == gallery.good.tolist()
        assert ask(server, port, f"sprite_image{query}").headers["content-type"] == "image/png"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def ask(server, port, path):
    end = time.monotonic() + 120
    while True:
        assert server.poll() is None
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/data/plugin/projector/{path}", timeout=60)
        except httpx.TransportError:
            assert time.monotonic() < end
            time.sleep(0.3)
            continue
        assert answer.is_success, answer.text
        return answer


def test_a_second_run_of_the_same_name_has_a_folder_of_its_own_and_a_failed_run_has_none(release, logs):
    hook = configured_hook()
    hook.send(finished(release))
    hook.send(finished(release))
    hook.send(finished(None, status="failed", release=None, error="ValueError: no maps"))
    hook.send(finished(release, release=None, status="rejected"))
    names = {path.name for path in (logs / "kensa-boards").iterdir()}
    assert names == {"v1", "v1-01234567", f"rejected-{release.name[:8]}"}


def test_pictures_of_maps_are_square_and_between_black_and_white():
    maps = np.random.default_rng(0).normal(5, 3, (7, 4, 6))
    pictures = map_pictures(maps)
    assert pictures.shape == (7, 3, 6, 6)
    assert pictures.min() == 0
    assert pictures.max() == 1
    assert (pictures[:, :, 4:] == 0).all()
    assert np.isfinite(map_pictures(np.ones((2, 3, 3)))).all()
