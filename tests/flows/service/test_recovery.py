"""A training whose processes die is taken up again by itself, and ends in the weights of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import time

import httpx
import pytest
from support.factory import BIN, SETTINGS, Factory, news, until
from support.fake_hub import Hub

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


def kill_while_training(factory, parts, *words, number=signal.SIGKILL):
    """Publish and deliver a revision, and kill the processes with `words` in their command once epochs are done."""
    sha, known = factory.publish(parts), len(factory.runs())
    assert factory.deliver(news(sha)).status_code == 202
    until(lambda: factory.epochs() >= 5, 120, "five epochs are done")
    victims = factory.processes(*words)
    assert victims
    for victim in victims:
        os.kill(victim, number)
    assert factory.epochs() < LONG["fit.epochs"], "it was killed too late"
    return sha, known, time.monotonic()


def the_run(factory, known):
    """The run that came after the `known` ones, once it is completed; None before and while the server is away."""
    try:
        found = factory.runs()[known:]
    except httpx.TransportError:
        return None
    return found[0] if found and found[0]["state_name"] == "Completed" else None


def weights_again(factory, folder):
    """The weights of the newest triplets stage, trained in one go by `python -m tasks.train`."""
    stage = max(factory.folder.glob("data/stages/triplets-*"), key=os.path.getmtime)
    words = [word for key, value in {**SETTINGS, **LONG}.items() for word in ("--set", f"{key}={value}")]
    done = factory.run(BIN / "python", "-m", "tasks.train", stage, "--preset", "notebook", "--data", folder, *words)
    assert done.returncode == 0, done.stderr
    return json.loads((factory.folder / done.stdout.strip() / "manifest.json").read_text())["weights"]


def check(factory, run, sha, folder):
    """The right release, the right weights, the stages before the training reused, nothing left behind."""
    assert run["parameters"]["revision"] == sha
    release = next(release for release in factory.releases() if release["train"]["revision"] == sha)
    model = max(factory.folder.glob("data/stages/model-*"), key=os.path.getmtime)
    assert release["stages"]["model"] in (model.name, json.loads((model / "manifest.json").read_text())["digest"])
    assert json.loads((model / "manifest.json").read_text())["weights"] == weights_again(factory, folder)
    assert factory.epochs() == 0, "the kept training is gone"
    left = [path.name for name in ("data", "artifacts") for path in (factory.folder / name).rglob(".*")]
    assert {name for name in left if not name.endswith("lock")} == set()
    until(lambda: not factory.processes("prefect.engine"), 30, "no flow process is left")


def test_kill_9_of_the_flow(factory, hidden):
    """The worker reports the crash at once; 30 quiet seconds later it is taken up."""
    sha, known, killed = kill_while_training(factory, hidden(200), "prefect.engine")
    run = until(lambda: the_run(factory, known), 300, "the run is completed")
    print(f"completed {time.monotonic() - killed:.0f} s after the kill")
    assert run["run_count"] == 2
    states = sorted(state for name, state in factory.tasks(run["id"]) if name.startswith("triplets"))
    assert states == ["Cached", "Completed"], "the second time it was found good"
    check(factory, run, sha, "again-1")


def test_kill_9_of_the_server(factory, hidden):
    """`kensa up` starts it again; the flow trains on in the meantime."""
    sha, known, killed = kill_while_training(factory, hidden(200, seed=1), "server start")
    run = until(lambda: the_run(factory, known), 300, "the run is completed")
    print(f"completed {time.monotonic() - killed:.0f} s after the kill")
    assert "server ended with -9; starting it again" in factory.said()
    check(factory, run, sha, "again-2")


def test_kill_9_of_worker_and_flow(factory, hidden):
    """Nobody is left to report the crash: the lock that nobody holds tells of it."""
    sha, known, killed = kill_while_training(factory, hidden(200, seed=2), "worker start", "prefect.engine")
    run = until(lambda: the_run(factory, known), 300, "the run is completed")
    print(f"completed {time.monotonic() - killed:.0f} s after the kill")
    assert run["run_count"] == 2
    assert "kensa up: restarted: " in factory.said()
    check(factory, run, sha, "again-3")


def test_sigterm_of_the_worker(factory, hidden):
    """It takes its flow along, and `kensa up` starts it again."""
    words = ("worker start",)
    sha, known, killed = kill_while_training(factory, hidden(200, seed=3), *words, number=signal.SIGTERM)
    run = until(lambda: the_run(factory, known), 300, "the run is completed")
    print(f"completed {time.monotonic() - killed:.0f} s after the signal")
    check(factory, run, sha, "again-4")


def test_kill_9_of_everything_and_a_new_start(factory, hidden):
    """As after a power cut: nothing of the factory lives, and `kensa up` is started anew."""
    sha, known, _ = kill_while_training(factory, hidden(200, seed=4), "")
    factory.process.wait()
    until(lambda: not factory.processes(), 30, "nothing lives")
    factory.start()
    ready = time.monotonic()
    run = until(lambda: the_run(factory, known), 300, "the run is completed")
    print(f"completed {time.monotonic() - ready:.0f} s after kensa up was ready again")
    assert run["run_count"] == 2
    check(factory, run, sha, "again-5")
