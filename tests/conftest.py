"""Fixtures of the tests that run the real command: a Prefect server, fresh folders, small inspected parts.

Everything that a child process keeps lies below pytest's temporary folder, and it talks to the loopback
interface alone.
"""

from __future__ import annotations

import fcntl
import functools
import io
import json
import os
import shutil
import tempfile
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.browser import browser, page  # noqa: F401
from support.commands import SMALL, Done, Place
from support.fake_hub import Hub
from support.inspected_parts import COLS, ROWS, Parts, configured, line, map_column
from support.pages import served_pages
from support.prefect_server import prefect_server
from support.releases import NO_DRAFTS

from tasks.config.model import TowerConfig
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig


def pytest_configure(config):
    """All processes of a session share what JAX compiles: most of a small training's time is its compilation."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="kensa-jax-")
        config.add_cleanup(folder.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"


@dataclass(frozen=True)
class Server:
    """A running Prefect server; `url` is without `/api`."""

    url: str

    @property
    def env(self):
        """What makes a command talk to this server, and log the address of its run."""
        return {"PREFECT_API_URL": f"{self.url}/api", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}

    def get(self, path):
        """The API's answer."""
        return self._answer(path)

    def filter(self, kind, **body):
        """All objects of a kind that the filter lets through."""
        return self._answer(f"/{kind}/filter", body)

    def tasks(self, run_id):
        """The task runs of a flow run, in the order in which they started."""
        runs = self.filter("task_runs", flow_runs={"id": {"any_": [run_id]}})
        return sorted(runs, key=lambda run: run["start_time"] or "9")

    def artifacts(self, run_id):
        """The artifacts of a flow run by key; a key's last one where it was made twice."""
        artifacts = self.filter("artifacts", artifacts={"flow_run_id": {"any_": [run_id]}}, sort="UPDATED_DESC")
        return {artifact["key"]: artifact for artifact in reversed(artifacts)}

    def logs(self, run_id):
        """The messages of a flow run and of its tasks, in order."""
        lines = self.filter("logs", logs={"flow_run_id": {"any_": [run_id]}}, sort="TIMESTAMP_ASC")
        return [line["message"] for line in lines]

    def _answer(self, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/api{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all processes of the test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """This process's Prefect server. One for all processes would stall: SQLite lets one of its transactions write."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield Server(url)


@pytest.fixture
def place(tmp_path):
    """A fresh folder without a Prefect server."""
    return Place(tmp_path / "place")


@pytest.fixture
def served(tmp_path, server):
    """A fresh folder whose runs go to the session's Prefect server."""
    return Place(tmp_path / "place", server.env)


@pytest.fixture(scope="session")
def a_place():
    """Makes a place anywhere, with an environment on top of its own."""
    return Place


@pytest.fixture(scope="session")
def hidden():
    """Makes parts whose modes a mean map cannot separate, and a small tower can.

    Modes 1 and 2 differ in whether two cells rise together or against each other, so both have the
    same mean; the raw map's AUROC is about 0.9, by RT, and the tower's 0.99.
    """

    def make(each=200, seed=0):
        rng = np.random.default_rng(seed)
        mode = np.tile(np.arange(3), each)
        side = rng.choice([-2.0, 2.0], len(mode))
        maps = rng.normal(0, 0.3, (len(mode), ROWS * COLS))
        maps[:, 3] += side * (mode > 0)
        maps[:, 12] += side * np.array([0, 1, -1])[mode]
        return Parts(maps.astype(np.float32), (mode > 0).astype(int), mode, np.array([""] * len(mode)))

    return make


@pytest.fixture(scope="module")
def workers():
    """The address of a Dask scheduler with two workers of this machine."""
    from tasks.workers.cluster import connected

    with connected("local:2", "--dask") as client:
        yield client.scheduler.address


@pytest.fixture(scope="session")
def small_config():
    """Makes the configuration of a retraining of a source with the settings of `SMALL`, as `Place.kensa` has it."""
    overrides = [f"{key}={value}" for key, value in SMALL.items()]
    return lambda train: apply_overrides(RunConfig(train=train, preset="notebook"), overrides)


@pytest.fixture(scope="session")
def small_line(shared_folder, hidden):
    """The settings of a folder with one release, v1, trained on 600 hidden parts; not to be changed: copy it.

    All processes of a test session share it: the first that needs it trains, the others wait.
    """
    folder = shared_folder / "line"
    folder.mkdir(exist_ok=True)
    config = configured(folder)
    fit = replace(config.fit, epochs=15, learning_rate=0.01, prototype="mean-embedding")
    config = replace(config, fit=fit, tower=TowerConfig(widths="64-32-8"))
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (config.artifacts_path / "champion.json").exists():
            assert line(hidden(), folder, config)["outcome"].status == "released"
    return config


@pytest.fixture
def line_copy(small_line, tmp_path):
    """The settings of a copy of that folder, with its stages and its release, to be changed."""
    for name in ("data_folder", "artifacts_folder"):
        shutil.copytree(getattr(small_line, name), tmp_path / Path(getattr(small_line, name)).name, ignore=NO_DRAFTS)
    return replace(small_line, data_folder=str(tmp_path / "data"), artifacts_folder=str(tmp_path / "artifacts"))


@pytest.fixture(scope="session")
def small_release(small_line):
    """The release v1 of `small_line`, loaded; frozen, so that all tests may share it."""
    from tasks.registry.loading import load_release  # Keras

    return load_release(small_line.artifacts_path, "v1")


@pytest.fixture(scope="session")
def plain_release(small_release):
    """`small_release` without a tower: the raw map is the embedding, by the Euclidean distance."""
    from support.scored_parts import with_distance

    from tasks.model.distances import distance

    return with_distance(small_release, distance("euclidean"), encoder=lambda maps: np.asarray(maps, float))


@pytest.fixture(scope="session")
def exported(small_line, tmp_path_factory):
    """The results of exporting `small_line`'s release in both formats."""
    import keras

    from tasks.export import export  # TensorFlow

    if keras.backend.backend() != "tensorflow":
        pytest.skip("an export is made on TensorFlow alone")
    folder = tmp_path_factory.mktemp("exports")
    return {kind: export(small_line.artifacts_path, "v1", kind, folder / kind) for kind in ("onnx", "savedmodel")}


@dataclass
class Boards:
    """A Hub with the dataset acme/boards, and the run that retrained on its first commit.

    `again` is a run with another gate, which finds every stage but the judgement as it left them.
    """

    hub: Hub
    place: Place
    sha: str
    first: Done

    @functools.cached_property
    def again(self):
        """Made when the first test asks for it."""
        words = ("retrain", "--train", "acme/boards", "--revision", self.sha, "--json")
        return self.place.kensa(*words, "--set", "gate.beat_raw_by=0.5")


@pytest.fixture(scope="session")
def boards(tmp_path_factory, server, hidden):
    """`kensa retrain --train acme/boards --json` once, for all tests that look at what it left."""
    file = io.BytesIO()
    pq.write_table(map_column(hidden()), file)
    home = tmp_path_factory.mktemp("boards")
    with Hub() as hub, served_pages(home / "place" / "artifacts") as pages:
        sha = hub.commit("acme/boards", {"data/train.parquet": file.getvalue(), "README.md": b"# Boards"})
        place = Place(home / "place", {**hub.env(home), **server.env, "KENSA_PAGES_URL": pages})
        yield Boards(hub, place, sha, place.kensa("retrain", "--train", "acme/boards", "--json"))
