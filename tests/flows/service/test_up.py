"""`kensa up` from one end to the other: a new version at the Hub becomes a release, once, and nothing is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import time

import httpx
import pytest
from filelock import FileLock
from support.factory import BIN, NAME, Factory, news, until
from support.fake_hub import Hub

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def factory(tmp_path_factory, hidden):
    """A factory that is up, with revision A at the Hub, which nobody was told of."""
    with Hub() as hub:
        made = Factory(tmp_path_factory.mktemp("up") / "place", hub)
        made.a = made.publish(hidden(160))
        try:
            made.seconds = made.start()
            yield made
        finally:
            if made.process and made.process.poll() is None:
                made.stop()
            made.sweep()


@pytest.fixture(scope="module")
def trained(factory, hidden):
    """Revision B was published, delivered, and its run has ended; with the seconds to each state."""
    factory.b = factory.publish(hidden(170, seed=1))
    began = time.monotonic()
    assert factory.deliver(news(factory.b)).status_code == 202
    until(lambda: [run["id"] for run in factory.runs() if run["state_name"] == "Running"], 60, "a run is running")
    running = time.monotonic() - began
    until(lambda: [run for run in factory.runs() if run["state_type"] == "COMPLETED"], 180, "it is completed")
    return {"running": running, "completed": time.monotonic() - began}


def ledger(factory):
    with sqlite3.connect(factory.folder / "data" / "ledger.sqlite") as table:
        return table.execute("SELECT revision, state, tries, told FROM versions").fetchall()


def test_a_cron_deployment_has_scheduled_runs_within_70_seconds(factory):
    """SQLAlchemy 2.1 would let the server look healthy, and schedule nothing."""
    for name in ("weekly", "every-15-minutes"):
        assert until(lambda name=name: factory.runs(name), 70, f"{name} has scheduled runs")
    names = lambda: [run["name"] for run in factory.runs("weekly")]  # noqa: E731
    until(lambda: all(name.startswith("all lines weekly 20") for name in names()), 60, "the planned runs are named")
    until(lambda: "line boards: next run " in factory.said(), 70, "the line's next run is shown")


def test_all_deployments_stand_as_promised(factory):
    found = {item["name"]: item for item in factory.ask("/deployments/filter", {})}
    by_hand = {"with-settings", "promote", "rollback", "recalibrate", "enrol", "export"}
    assert set(found) == {"weekly", "on-new-version", "every-15-minutes", "on-demand", "daily"} | by_hand
    line = {"enum": ["all", "boards"], "type": "string"}
    assert found["weekly"]["parameter_openapi_schema"]["properties"]["line"].items() >= line.items()
    assert found["weekly"]["schedules"][0]["schedule"] == {
        "cron": "0 5 * * 1",
        "timezone": "Europe/Berlin",
        "day_or": True,
    }
    assert found["on-new-version"]["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert found["on-new-version"]["global_concurrency_limit"]["limit"] == 1
    names = sorted(item["name"] for item in factory.ask("/automations/filter", {}))
    assert names == ["kensa: new dataset version", "kensa: no heartbeat", "kensa: take up again"]


def test_the_parameters_are_a_readable_form(factory):
    """What Prefect's form is drawn from: descriptions, choices and bounds of every field."""
    found = next(item for item in factory.ask("/deployments/filter", {}) if item["name"] == "with-settings")
    schema = found["parameter_openapi_schema"]
    assert set(schema["properties"]) == {"config"}
    kinds = schema["definitions"]
    assert {"RunConfig", "DataConfig", "SplitConfig", "TrainingConfig", "EvaluateConfig", "GateConfig"} <= set(kinds)
    for name, kind in kinds.items():
        for key, field in kind["properties"].items():
            named = kinds[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
            assert named.get("title"), (name, key)
            assert field.get("description"), (name, key)
    assert kinds["TrainingConfig"]["properties"]["margin"]["description"].startswith("Margin of the triplet loss")
    assert choices(kinds["EvaluateConfig"]["properties"]["rule"]) >= {"target_fpr", "youden"}
    assert choices(kinds["TrainingConfig"]["properties"]["batches"]) == {"triplets", "records"}
    assert bounds(kinds["DataConfig"]["properties"]["rows"]) == (1, 4096)
    assert bounds(kinds["TrainingConfig"]["properties"]["learning_rate"]) == (1e-9, 10)
    assert bounds(kinds["GateConfig"]["properties"]["beat_raw_by"]) == (0, 1)


def choices(field):
    options = [field, *field.get("anyOf", [])]
    return {value for option in options for value in option.get("enum", [])}


def bounds(field):
    options = [field, *field.get("anyOf", [])]
    return next((option["minimum"], option["maximum"]) for option in options if "minimum" in option)


def test_a_new_version_is_trained_within_a_minute_of_its_news(factory, trained):
    assert trained["running"] < 60
    (run,) = factory.runs()
    assert run["parameters"]["revision"] == factory.b
    assert run["parameters"]["line"] == "boards"
    assert run["name"].startswith(f"boards@{factory.b[:7]}")
    assert {"train", "evaluate", "publish"} <= {name for name, _ in factory.tasks(run["id"])}
    (release,) = factory.releases()
    assert release["train"]["revision"] == factory.b
    assert release["status"] == "released"
    print(
        f"up in {factory.seconds:.0f} s, running after {trained['running']:.0f} s, done in {trained['completed']:.0f} s"
    )


def test_the_run_links_to_its_report_which_is_served(factory, trained):
    """And nobody but this machine was asked for anything; see the requests of the browser in test_form.py."""
    (run,) = factory.runs()
    artifacts = factory.ask("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    (verdict,) = [item["data"] for item in artifacts if item["key"] == "verdict-acme-boards"]
    (link,) = re.findall(r"\[Report\]\((\S+)\)", verdict)
    assert link == f"http://127.0.0.1:{factory.pages_port}/boards/releases/v1/report.html"
    for address in (link, *(item["data"] for item in artifacts if item["type"] == "image")):
        assert httpx.get(address).status_code == 200
    (release,) = factory.ask("/deployments/filter", {"deployments": {"name": {"any_": ["promote"]}}})
    assert release["parameter_openapi_schema"]["properties"]["line"]["enum"] == ["boards"]
    assert "start a worker" not in factory.said()


def test_health_and_metrics_of_every_part(factory, trained):
    """A part that hangs is told as one that died; it is well again when it answers again."""
    address = f"http://127.0.0.1:{factory.pages_port}"
    health = httpx.get(f"{address}/health", timeout=30)
    checks = {check["name"]: check for check in health.json()["checks"]}
    assert health.status_code == 200, health.text
    parts = {"server", "worker", "pages", "receiver", "disk, data", "disk, artifacts", "runs", "line boards"}
    assert set(checks) == parts
    assert checks["line boards"]["found"].startswith("champion v1, 0.")
    assert "last retraining released, 0." in checks["line boards"]["found"]
    text = httpx.get(f"{address}/metrics", timeout=30).text
    up = [f'kensa_up{{part="{part}"}} 1.0' for part in ("server", "worker", "pages", "receiver")]
    line = [
        'kensa_champion_info{line="boards",release="v1"} 1.0',
        'kensa_last_retraining{line="boards",outcome="released"} 1.0',
        'kensa_dataset_versions{line="boards",state="done"} 1.0',
    ]
    assert not {*up, *line, "kensa_workers_online 1.0"} - set(text.splitlines())
    assert 'kensa_database_bytes{database="prefect"}' in text

    (receiver,) = factory.processes("flows.service.webhook")
    os.kill(receiver, signal.SIGSTOP)
    try:
        answer = until(lambda: ill(address), 60, "the receiver that hangs is told")
    finally:
        os.kill(receiver, signal.SIGCONT)
    assert [(check["name"], bool(check["cure"])) for check in answer if check["verdict"] == "failed"] == [
        ("receiver", True)
    ]
    until(lambda: httpx.get(f"{address}/health", timeout=30).status_code == 200, 60, "it is well again")


def ill(address):
    """The checks, once one has failed."""
    answer = httpx.get(f"{address}/health", timeout=30)
    return answer.json()["checks"] if answer.status_code == 503 else None


def test_a_second_kensa_up_in_the_folder_is_refused_in_one_line(factory):
    done = factory.run(BIN / "kensa", "up")
    assert done.returncode == 2
    assert done.stderr.startswith("kensa: ")
    assert "kensa up runs here already" in done.stderr
    assert done.stderr.count("\n") == 1


def ended_long_ago(factory):
    """Makes a run that has ended; returns its id, and what says in the stopped server's database that it was then."""
    flow = factory.ask("/flows/", {"name": "retrain"})["id"]
    run = factory.ask("/flow_runs/", {"flow_id": flow, "state": {"type": "COMPLETED"}})["id"]

    def age(days):
        with sqlite3.connect(factory.folder / "prefect" / "prefect.db") as table:
            sql = "UPDATE flow_run SET end_time = datetime('now', ?) || '.000000' WHERE id = ?"
            assert table.execute(sql, (f"-{days} days", run)).rowcount == 1

    return run, age


def test_a_port_that_is_taken_is_refused_in_one_line(factory, tmp_path):
    """Another Prefect server that listens there would answer as if it were ours."""
    other = Factory(tmp_path / "other", factory.hub)
    done = other.run(BIN / "kensa", "up", "--port", factory.port)
    assert done.returncode == 2
    assert done.stderr == f"kensa: --port {factory.port}: expected a free port, found it taken; choose another\n"


def test_the_same_news_again_trains_nothing_not_even_after_a_restart_of_everything(factory, trained):
    """Twice by webhook, once by looking at the Hub; between them Ctrl-C, which leaves nothing behind."""
    known = {"noted": [], "known": 1}
    assert factory.deliver(news(factory.b)).json() == known
    (old, aged), (young, younger) = ended_long_ago(factory), ended_long_ago(factory)
    stopped = factory.stop()
    aged(91)
    younger(89)
    assert factory.processes() == {}
    for port in (factory.port, factory.webhook_port, factory.pages_port):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    with FileLock(factory.folder / "data" / ".up.lock", timeout=0):
        pass
    again = factory.start()
    looked = factory.run(BIN / "kensa", "watch", "--once")
    assert looked.returncode == 0, looked.stderr
    assert "announced:" not in looked.stdout
    assert factory.deliver(news(factory.b)).json() == known
    time.sleep(5)
    kept = [run["id"] for run in factory.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [old, young]}}})]
    assert kept == [young], "the database holds the runs of 90 days"
    assert len(factory.runs()) == 1
    assert len(factory.releases()) == 1
    assert ledger(factory) == [(factory.b, "done", 1, 1)]
    names = sorted(item["name"] for item in factory.ask("/automations/filter", {}))
    assert len(names) == 3, "a second kensa up doubles nothing"
    print(f"stopped in {stopped:.0f} s, up again in {again:.0f} s")


def test_late_news_of_a_revision_before_the_head_trains_nothing(factory, trained):
    """A was never trained; the Hub's delivery about it comes after B's."""
    assert factory.deliver(news(factory.a)).status_code == 202
    until(
        lambda: len(factory.runs()) == 2 and factory.runs()[-1]["state_type"] == "COMPLETED", 90, "the run has looked"
    )
    assert len(factory.releases()) == 1
    assert {row[0]: row[1] for row in ledger(factory)} == {factory.a: "skipped", factory.b: "done"}


def test_ctrl_c_leaves_no_process_port_or_lock(factory, trained):
    seconds = factory.stop()
    assert factory.processes() == {}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{factory.api}/health", timeout=2)
    with FileLock(factory.folder / "data" / ".up.lock", timeout=0):
        pass
    left = [path.name for name in ("data", "artifacts") for path in (factory.folder / name).rglob(".*")]
    assert {name for name in left if not name.endswith("lock")} == set()
    assert "Traceback" not in factory.said()
    assert NAME in str(factory.hub.requests)
    print(f"stopped in {seconds:.0f} s")
