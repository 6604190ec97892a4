"""A training whose processes die is restarted by itself, and ends in the weights of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import time

import httpx
import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Running
from support.factory import BIN, SETTINGS, Factory, news, until
from support.fake_hub import Hub

from flows.service.recovery import WAIT_SECONDS, RunRecovery
from flows.service.server import PrefectServer, connect

pytestmark = pytest.mark.slow
LONG = {"fit.epochs": 300, "fit.patience": 300, "fit.learning_rate": 0.003}  # some seconds in which to die


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    """A factory that is up."""
    with Hub() as hub:
        made = Factory(tmp_path_factory.mktemp("crash") / "place", hub, **LONG)
        try:
            made.start()
            yield made
            made.stop()
            assert made.processes() == {}, "an orphan"
        finally:
            made.sweep()


def deliver(factory, parts):
    """Publish a revision and deliver its news; returns it, and how many runs there were before."""
    sha, before = factory.publish(parts), len(factory.runs())
    assert factory.deliver(news(sha)).status_code == 202
    return sha, before


def kill_while_training(factory, *words, number=signal.SIGKILL):
    """Kill the processes with one of `words` in their command once five more epochs are done."""
    done = factory.epochs()
    until(lambda: factory.epochs() >= done + 5, 180, "five more epochs are done")
    victims = factory.processes(*words)
    assert victims
    for victim in victims:
        os.kill(victim, number)
    assert factory.epochs() < LONG["fit.epochs"], "it was killed too late"
    return time.monotonic()


def completed(factory, before, killed):
    """The run that came after the first ones, once it is completed."""

    def ask():
        try:
            runs = factory.runs()[before:]
        except httpx.TransportError:
            return None  # the server is away
        return runs[0] if runs and runs[0]["state_type"] == "COMPLETED" else None

    run = until(ask, 300, "the run is completed")
    print(f"completed {time.monotonic() - killed:.0f} s after the last kill")
    for state in factory.ask(f"/flow_run_states/?flow_run_id={run['id']}"):
        print(state["timestamp"][11:19], state["name"], state["message"])  # a failed test says who restarted it
    return run


def weights_again(factory, folder):
    """The weights of the newest triplets stage, trained in one go by `python -m tasks.train`."""
    stage = max(factory.folder.glob("data/stages/triplets-*"), key=os.path.getmtime)
    words = [word for key, value in {**SETTINGS, **LONG}.items() for word in ("--set", f"{key}={value}")]
    done = factory.run(BIN / "python", "-m", "tasks.train", stage, "--preset", "notebook", "--data", folder, *words)
    assert done.returncode == 0, done.stderr
    return json.loads((factory.folder / done.stdout.strip() / "manifest.json").read_text())["weights"]


def check(factory, run, sha):
    """The right release, nothing left behind; returns the model's stage."""
    assert run["parameters"]["revision"] == sha
    release = next(release for release in factory.releases() if release["train"]["revision"] == sha)
    model = max(factory.folder.glob("data/stages/model-*"), key=os.path.getmtime)
    manifest = json.loads((model / "manifest.json").read_text())
    assert release["stages"]["model"] in (model.name, manifest["digest"])
    assert factory.epochs() == 0, "the kept training is gone"
    left = [path.name for name in ("data", "artifacts") for path in (factory.folder / name).rglob(".*")]
    assert {name for name in left if not name.endswith("lock")} == set()
    until(lambda: not factory.processes("prefect.engine"), 30, "no flow process is left")
    return manifest


def test_kill_9_of_worker_and_flow_then_of_the_flow_and_then_of_the_server(factory, hidden):
    """The lock that nobody holds tells of the first; the worker reports the second; the flow survives the third."""
    sha, before = deliver(factory, hidden(200))
    kill_while_training(factory, "worker start", "prefect.engine")
    until(lambda: "kensa up: restarted: " in factory.said(), 120, "the run is restarted")
    kill_while_training(factory, "prefect.engine")
    killed = kill_while_training(factory, "flows.service.server_process")
    run = completed(factory, before, killed)
    assert run["run_count"] == 3
    states = {state for name, state in factory.tasks(run["id"]) if name.startswith("triplets")}
    assert states == {"Cached", "Completed"}, "it was found good after the first time"
    assert "server ended with -9; starting it again" in factory.said()
    assert check(factory, run, sha)["weights"] == weights_again(factory, "again")


def test_sigterm_of_the_worker_then_kill_9_of_everything_and_a_new_start(factory, hidden):
    """SIGTERM takes the flow along. Then, as after a power cut, nothing lives, and `kensa up` is started anew."""
    sha, before = deliver(factory, hidden(200, seed=2))
    kill_while_training(factory, "worker start", number=signal.SIGTERM)
    kill_while_training(factory, "")
    factory.process.wait()
    until(lambda: not factory.processes(), 30, "nothing lives")
    factory.start()
    run = completed(factory, before, time.monotonic())
    assert run["run_count"] == 3
    check(factory, run, sha)


def test_a_run_that_starts_again_is_not_restarted_before_it_holds_its_lock(tmp_path, server, monkeypatch):
    """A busy machine needs seconds between `Running` and the lock; the dead process's file must not count then."""
    monkeypatch.setitem(WAIT_SECONDS, StateType.RUNNING, 0)
    prefect = PrefectServer(f"{server.url}/api")
    with connect(prefect, retries=5) as client:
        deployment = client.create_deployment(client.create_flow_from_name("dies"), name="dies")
        run = client.create_flow_run_from_deployment(deployment)
        client.set_flow_run_state(run.id, Running())
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / f"{run.id}.lock").touch()
        recovery = RunRecovery(prefect, tmp_path)
        assert recovery.recover_due() == [run.name]
        assert client.read_flow_run(run.id).state.name == "AwaitingRetry"
        client.set_flow_run_state(run.id, Running())
        assert recovery.recover_due() == []
        assert client.read_flow_run(run.id).state.name == "Running"
        asked = {"filter": {"resource": {"id": [f"prefect.flow-run.{run.id}"]}}}
        events = lambda: client.request("POST", "/events/filter", json=asked).json()["events"]  # noqa: E731
        until(lambda: "prefect.flow-run.restarted" in {event["event"] for event in events()}, 60, "it is announced")
