"""OpenLineage by its real client, into a file and over HTTP; and a whole retraining whose server answers errors."""

from __future__ import annotations

import datetime
import json
import os
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.factory import until
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column

from flows.retrain import retrain
from flows.trackers import openlineage
from flows.trackers.finished_run import FinishedRun, RunSource
from flows.trackers.openlineage import configured_hook, dataset_name
from tasks.core.errors import MissingExtra

BEGAN = datetime.datetime(2026, 11, 29, 14, 0, tzinfo=datetime.UTC)
RUN = FinishedRun(
    run=str(uuid.uuid4()),
    line="boards",
    status="released",
    release="v3",
    folder=Path("/line/artifacts/releases/v3"),
    train="acme/boards",
    sources=(RunSource("acme/boards", "hub", "0123abc"), RunSource("s3://factory/lots/new", "address", "4567def")),
    metrics={"auroc": 0.9},
    began=BEGAN,
    ended=BEGAN + datetime.timedelta(minutes=5),
)


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch):
    for name in list(os.environ):
        if name.startswith("OPENLINEAGE"):
            monkeypatch.delenv(name)


@pytest.fixture
def lineage_server():
    """A loopback server: its address, what was posted, and the status with which it answers."""
    heard, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", heard, status
        server.shutdown()


def require_lineage(start, complete):
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"] == RUN.run
    assert complete["job"] | {"facets": {}} == {"namespace": "kensa", "name": "retrain.boards", "facets": {}}
    assert complete["eventTime"].startswith("2026-11-29T14:05:00")
    read = [
        (each["namespace"], each["name"], each["facets"]["version"]["datasetVersion"]) for each in complete["inputs"]
    ]
    assert read == [("hf://datasets", "acme/boards", "0123abc"), ("s3://factory", "lots/new", "4567def")]
    (written,) = complete["outputs"]
    assert (written["namespace"], written["name"]) == ("file", "/line/artifacts/releases/v3")
    assert written["facets"]["version"]["datasetVersion"] == "v3"
    assert start["outputs"] == []


def test_without_its_settings_there_is_no_hook(monkeypatch):
    assert configured_hook() is None
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    assert configured_hook().name == "OpenLineage"
    monkeypatch.setattr(openlineage.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="make setup EXTRAS=lineage"):
        configured_hook()


def test_events_in_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "lineage.jsonl"))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    configured_hook().send(RUN)
    require_lineage(*map(json.loads, (tmp_path / "lineage.jsonl").read_text().splitlines()))


def test_events_over_http(monkeypatch, lineage_server):
    address, heard, _ = lineage_server
    monkeypatch.setenv("OPENLINEAGE_URL", address)
    configured_hook().send(RUN)
    assert {path for path, _ in heard} == {"/api/v1/lineage"}
    require_lineage(*(event for _, event in heard))


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("demo", "demo", ("kensa", "demo")),
        ("hf://datasets/acme/boards/lots", "hub", ("hf://datasets", "acme/boards/lots")),
        ("https://host/parts.csv#part=test", "address", ("https://host", "parts.csv")),
        ("file:///mnt/parts", "folder", ("file", "/mnt/parts")),
        ("parts", "folder", ("file", str(Path("parts").resolve()))),
    ],
)
def test_datasets_have_the_names_that_others_give_them(source, kind, name):
    assert dataset_name(RunSource(source, kind, "r")) == name


@pytest.mark.slow
def test_a_retraining_is_told_and_a_server_that_refuses_fails_nothing(
    served, server, hidden, monkeypatch, lineage_server, small_config
):
    address, heard, status = lineage_server
    monkeypatch.setenv("OPENLINEAGE_URL", address)
    pq.write_table(map_column(hidden(160)), served.folder / "parts.parquet")
    config = small_config("parts.parquet")
    with in_place(served.folder, server):
        run = run_flow(retrain, config=config)
        status[0] = 404
        again = run_flow(retrain, config=config, settings=["gate.beat_raw_by=1"])
        unchanged = run_flow(retrain, config=config)
        before, status[0] = len(heard), 200
        failed = run_flow(retrain, config=small_config("absent.parquet"))
    assert run.result.status == "released"
    (_, start), (_, complete) = heard[:2]
    assert (start["eventType"], complete["run"]["runId"]) == ("START", run.id)
    assert complete["outputs"][0]["name"] == str(served.folder / "artifacts" / "releases" / "v1")
    assert complete["inputs"][0]["facets"]["version"]["datasetVersion"] == run.result.train["revision"]
    assert again.result.status == "rejected"
    warning = "openlineage was not told of this run"
    until(lambda: any(warning in line for line in server.logs(again.id)), 30, "the log says so")
    assert unchanged.result.status == "unchanged"
    (_, start), (_, end) = heard[before:]
    assert (start["eventType"], end["eventType"], end["run"]["runId"]) == ("START", "FAIL", failed.id)
    assert "absent.parquet" in end["run"]["facets"]["errorMessage"]["message"]
    assert (end["job"]["name"], end["outputs"]) == ("retrain.absent.parquet", [])
