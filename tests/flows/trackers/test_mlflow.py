"""MLflow by its real client and a real server: runs, metrics, files, versions, and the alias of the champion."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column
from support.mlflow_server import mlflow_server
from support.project import ROOT
from support.releases import NO_DRAFTS

import kensa
from flows.champion import rollback
from flows.recalibrate import recalibrate
from flows.retrain import retrain
from flows.trackers import finished_run, mlflow
from flows.trackers.finished_run import FinishedRun, MovedChampion
from flows.trackers.mlflow import CLIENT_DEFAULTS, MLflowHook, configured_hook
from tasks.core.errors import MissingExtra

BEGAN = datetime.datetime(2026, 11, 29, 14, 0, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def server_address(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def client(server_address, monkeypatch):
    """The hook is configured for the server; MLflow's own client of it."""
    for name in [name for name in os.environ if name.startswith("MLFLOW")]:
        monkeypatch.delenv(name)
    for name, value in CLIENT_DEFAULTS.items():  # so that they go with the test
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server_address)
    from mlflow import MlflowClient

    return MlflowClient(server_address)


def finished(folder, line, **changes):
    status = json.loads((folder / "manifest.json").read_text())["status"]
    ended = BEGAN + datetime.timedelta(minutes=5)
    record = {"run": "run-1", "status": status, "release": folder.name, "train": "boards", "sources": (), "metrics": {}}
    return FinishedRun(**record | {"line": line, "folder": folder, "began": BEGAN, "ended": ended} | changes)


@pytest.fixture
def artifacts(small_line, tmp_path):
    return Path(shutil.copytree(small_line.artifacts_path, tmp_path / "artifacts", ignore=NO_DRAFTS))


def test_without_its_setting_there_is_no_hook(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert configured_hook() is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(mlflow.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="make setup EXTRAS=mlflow"):
        configured_hook()


@pytest.mark.slow
def test_a_release_is_logged_registered_and_opened_from_there(client, artifacts, tmp_path, capfd):
    folder = artifacts / "releases" / "v1"
    configured_hook().send(finished(folder, "sent"))
    version = client.get_model_version_by_alias("kensa-sent", "champion")
    run = client.get_run(version.run_id)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (run.info.status, run.info.run_name, version.tags["kensa.release"]) == ("FINISHED", "v1", "v1")
    assert run.info.end_time - run.info.start_time == 300_000
    assert run.data.metrics["auroc"] == manifest["metrics"]["auroc"]
    assert run.data.params["fit.epochs"] == str(manifest["config"]["fit"]["epochs"])
    losses = client.get_metric_history(version.run_id, "training/loss")
    epochs = json.loads((folder / "report.json").read_text())["history"]["epochs"]
    assert [(loss.step, loss.value) for loss in losses] == [(epoch["epoch"], epoch["loss"]) for epoch in epochs]
    (read,) = run.inputs.dataset_inputs
    assert json.loads(read.dataset.source)["revision"] == manifest["train"]["revision"]
    downloaded = client.download_artifacts(version.run_id, "release", str(tmp_path))
    assert kensa.load(downloaded).manifest.fingerprint == manifest["fingerprint"]
    assert capfd.readouterr().out == "", "a command's JSON is alone on its standard output"


@pytest.mark.slow
def test_the_program_of_the_page_opens_the_champion(client, artifacts, tmp_path, monkeypatch):
    MLflowHook().send_champion(MovedChampion("boards", artifacts / "releases" / "v1"))
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "trackers.md").read_text(encoding="utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(program, "docs/trackers.md", "exec"), names)
    assert names["inspector"].threshold == kensa.load("v1", artifacts).threshold


@pytest.mark.slow
def test_a_champion_that_the_server_does_not_know_is_registered_once(client, artifacts):
    for _ in range(2):
        MLflowHook().send_champion(MovedChampion("moved", artifacts / "releases" / "v1"))
    (version,) = client.search_model_versions("name = 'kensa-moved'")
    assert client.get_model_version_by_alias("kensa-moved", "champion").version == version.version


@pytest.mark.slow
def test_an_interrupted_upload_leaves_a_failed_run(client, artifacts, monkeypatch):
    (artifacts / "releases" / "v1" / "report.json").unlink()
    with pytest.raises(FileNotFoundError):
        MLflowHook().send(finished(artifacts / "releases" / "v1", "torn"))
    experiment = client.get_experiment_by_name("kensa-torn").experiment_id
    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]
    assert client.search_model_versions("name = 'kensa-torn'") == []


@pytest.mark.slow
def test_retrainings_a_recalibration_and_a_rollback_are_told(served, server, hidden, client, small_config, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "factory")
    monkeypatch.setattr(finished_run, "HOOK_SECONDS", 300)  # a busy machine
    pq.write_table(map_column(hidden(160)), served.folder / "parts.parquet")
    config = small_config("parts.parquet")

    def champion():
        return client.get_model_version_by_alias("kensa", "champion").tags["kensa.release"]

    with in_place(served.folder, server):
        first = run_flow(retrain, config=config)
        assert champion() == "v1"
        draft = run_flow(retrain, config=config, settings=["gate.beat_raw_by=1"])
        absent = run_flow(retrain, config=small_config("absent.parquet"))
        assert [first.result.status, draft.result.status] == ["released", "rejected"]
        runs = client.search_runs([client.get_experiment_by_name("factory").experiment_id])
        by_flow = {run.data.tags["kensa.run"]: run for run in runs}
        assert set(by_flow) == {run.id for run in (first, draft, absent)}
        assert (by_flow[absent.id].info.status, by_flow[draft.id].data.tags["kensa.status"]) == ("FAILED", "rejected")
        assert "absent.parquet" in by_flow[absent.id].data.tags["kensa.error"]
        files = client.list_artifacts(by_flow[draft.id].info.run_id, "draft")
        assert "draft/report.html" in {file.path for file in files}
        run_flow(recalibrate, target=0.2, promote=True)
        assert champion() == "v2", "a release with another threshold, which no retraining has sent"
        run_flow(rollback)
        assert champion() == "v1"
