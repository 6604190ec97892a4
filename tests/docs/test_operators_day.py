"""An operator's day, as docs/production.md tells it, with real processes from one end to the other.

A line whose releases an earlier Kensa made goes on under this one; its secret changes, its health and metrics are read,
it is backed up, everything is killed, and it is restored in another folder.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile

import httpx
import pyarrow.parquet as pq
import pytest
from support.factory import BIN, NAME, Factory, news, until
from support.fake_hub import Hub
from support.project import ROOT

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
BACK_UP, RESTORE = re.findall(r"```\n(.*?)```", PAGE.partition("## What to back up")[2].partition("\n## ")[0], re.S)
SAMPLES = ROOT / "tests" / "samples" / "made-at-8cd46b7.tar.xz"
OLD, NEW = "the secret of yesterday", "the secret of tomorrow"
AUTH = ("operator", "a password: of the UI")

pytestmark = pytest.mark.slow


def factory(folder, hub):
    """A factory whose server requires a password, whose secret is in a file, and whose log is JSON."""
    made = Factory(folder, hub)
    made.auth = AUTH
    made.env |= {"PREFECT_SERVER_API_AUTH_STRING": ":".join(AUTH), "KENSA_LOG_FORMAT": "json"}
    made.env |= {"KENSA_WEBHOOK_SECRET_FILE": str(folder / "secret")}
    del made.env["KENSA_WEBHOOK_SECRET"]
    (folder / "secret").write_text(OLD + "\n")
    return made


def with_old_releases(made):
    """v1 and the champion v2, made at commit 8cd46b7, as the line's releases; its parts are the Hub's dataset."""
    with tarfile.open(SAMPLES) as archive:
        archive.extractall(made.folder / "old", filter="data")
    (made.folder / "artifacts").mkdir()
    (made.folder / "old" / "artifacts").rename(made.folder / "artifacts" / "boards")
    parts = (made.folder / "old" / "parts" / "parts.parquet").read_bytes()
    return made.hub.commit(NAME, {"train.parquet": parts})


def shell(made, block):
    """A block of docs/production.md, run by a shell in the factory's folder."""
    env = {**made.env, "PATH": f"{BIN}:/usr/bin:/bin"}
    words = ["bash", "-euc", block.replace(".venv/bin/python", sys.executable)]
    return subprocess.run(words, cwd=made.folder, env=env, check=True, capture_output=True, text=True).stdout


def health(made):
    """The checks of /health by name, once all parts are well: the worker comes some seconds after the others."""

    def well():
        try:
            answer = httpx.get(f"http://127.0.0.1:{made.pages_port}/health", timeout=30)
        except httpx.ConnectError:  # the pages, too, come a moment after the others
            return None
        return answer.json()["checks"] if answer.status_code == 200 else None

    return {check["name"]: check for check in until(well, 60, "all parts are well")}


def metrics(made):
    return set(httpx.get(f"http://127.0.0.1:{made.pages_port}/metrics", timeout=30).text.splitlines())


def kill_everything(made):
    """As a power cut does."""
    for pid in made.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    made.process.wait(30)
    until(lambda: not made.processes(), 30, "nothing lives")


def require_json(made):
    """Every line since the start is an entry, and none holds what nobody may see."""
    entries = [json.loads(line) for line in made.said().splitlines()]
    assert all({"time", "level", "logger", "message", "line", "run"} <= entry.keys() for entry in entries)
    assert not [entry for entry in entries if "Traceback" in entry["message"] or "exception" in entry]
    assert not [word for word in (OLD, NEW, AUTH[1]) if word in made.said()]
    return entries


def test_an_operators_day(tmp_path):
    with Hub() as hub:
        there = factory(tmp_path / "there", hub)
        first = with_old_releases(there)
        here = factory(tmp_path / "here", hub)
        try:
            there.start()
            morning(there)
            trained = retrain(there, first)
            rotate_the_secret(there, first)
            shell(there, BACK_UP)
            kill_everything(there)
            require_json(there)

            (there.folder / "kensa-backup.tgz").rename(here.folder / "kensa-backup.tgz")
            assert "v2" in shell(here, RESTORE + "kensa releases --artifacts artifacts/boards\n")
            (here.folder / "secret").write_text(NEW)
            here.start()
            evening(here, first, trained)
            here.stop()
            require_json(here)
        finally:
            for made in (there, here):
                made.sweep()


def morning(made):
    """All is well; nobody reads the runs without the password; the champion is the one that an earlier Kensa made."""
    checks = health(made)
    assert {name: check["verdict"] for name, check in checks.items() if check["verdict"] == "failed"} == {}
    assert checks["line boards"]["found"].startswith("champion v2, ")
    assert 'kensa_champion_info{line="boards",release="v2"} 1.0' in metrics(made)
    assert httpx.post(f"{made.api}/flow_runs/filter", json={}, timeout=30).status_code == 401


def retrain(made, revision):
    """A new version of the dataset is compared with the old champion; returns what came of it."""
    assert made.deliver(news(revision), OLD).status_code == 202
    until(lambda: [run for run in made.runs() if run["state_type"] == "COMPLETED"], 240, "it is retrained")
    (run,) = made.runs()
    outcome = run["state_name"].lower()
    assert outcome in ("released", "rejected")
    assert (
        f'kensa_last_retraining{{line="boards",outcome="{outcome}"}} 1.0'
        in until(
            lambda: [lines for lines in [metrics(made)] if any("_retraining{" in line for line in lines)],
            30,
            "it is told",
        )[0]
    )
    newest = max(made.releases(), key=lambda manifest: manifest["created"])
    assert newest["compared_with"] == "v2"
    said = [json.loads(line) for line in made.said().splitlines()]
    assert {entry["line"] for entry in said if entry["run"] == run["id"]} >= {"boards"}
    return outcome


def rotate_the_secret(made, revision):
    path = made.folder / "secret"
    path.write_text(f"{NEW}\n{OLD}\n")
    assert [made.deliver(news(revision), secret).status_code for secret in (OLD, NEW)] == [202, 202]
    path.write_text(NEW)
    assert [made.deliver(news(revision), secret).status_code for secret in (OLD, NEW)] == [401, 202]


def evening(made, revision, trained):
    """In the other folder all is known, and the releases of the earlier Kensa judge parts."""
    champion = "v3" if trained == "released" else "v2"
    assert health(made)["line boards"]["found"].startswith(f"champion {champion}, ")
    assert made.deliver(news(revision), NEW).json() == {"noted": [], "known": 1}
    assert 'kensa_dataset_versions{line="boards",state="done"} 1.0' in metrics(made)
    for version in ("v1", "v2"):
        words = ("score", NAME, "--artifacts", "artifacts/boards", "--release", version, "--out", f"{version}.parquet")
        done = made.run(BIN / "kensa", *words)
        assert done.returncode == 0, done.stderr
        assert len(pq.read_table(made.folder / f"{version}.parquet")) == 600
