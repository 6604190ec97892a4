"""Each check of an installation, where all is right and where something is not."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest
from filelock import FileLock
from support import inspected_parts as parts
from support.decided import decision
from support.fake_hub import Hub
from support.project import BIN

from kensa import installation
from kensa.installation import EXTRAS, check_folder, check_installation, check_locks
from tasks.registry.champion import promote
from tasks.registry.journal import JOURNAL_FILE
from tasks.review.decisions import decide


def checks(tmp_path, *names):
    """The checks of these names, each as verdict, found and cure."""
    found = {check.name: check for check in check_installation(tmp_path / "data", tmp_path / "artifacts")}
    return [(found[name].verdict, found[name].found, found[name].cure) for name in names]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No server, no token, and a Hub that does not answer."""
    for name in ("PREFECT_API_URL", "HF_TOKEN", "HF_HUB_OFFLINE", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))


def test_an_installation_without_anything_else_has_no_failed_check(tmp_path):
    found = list(check_installation(tmp_path / "data", tmp_path / "artifacts"))
    assert [check.name for check in found if check.verdict == "failed"] == []
    assert [check.name for check in found if check.verdict == "warning" and check.name != "packages"] == ["Hub"]
    assert not (tmp_path / "data").exists()


def test_the_extras_are_those_of_the_project():
    import tomllib

    content = (installation.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert set(EXTRAS) == set(tomllib.loads(content)["project"]["optional-dependencies"])


def test_other_versions_than_the_lock_s_are_named(tmp_path, monkeypatch):
    (tmp_path / "requirements").mkdir()
    lock = "keras==1.0.0 \\\n    --hash=sha256:0\nno-such==2 ; python_version < '3' \\\n    --hash=sha256:0\n"
    (tmp_path / "requirements" / "line.lock").write_text(lock)
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    [(verdict, found, cure)] = checks(tmp_path, "packages")
    assert (verdict, cure) == ("warning", "run make setup")
    assert found.startswith("1 of 1 differ from requirements/line.lock: keras 3.")


@pytest.mark.parametrize(("free", "verdict"), [(50e9, "ok"), (5e9, "warning"), (0.5e9, "failed")])
def test_a_disk_says_when_it_is_full(tmp_path, monkeypatch, free, verdict):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(free))
    check = check_folder("disk", tmp_path / "not" / "made")
    assert (check.verdict, bool(check.cure)) == (verdict, verdict != "ok")


def test_a_folder_that_cannot_be_written_is_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.os, "access", lambda *_: False)
    assert check_folder("disk", tmp_path / "data").verdict == "failed"


def test_locks_that_are_held_and_runs_that_died(tmp_path):
    data, artifacts = tmp_path / "data", tmp_path / "artifacts"
    assert check_locks(data, artifacts).found == "none is held"
    (data / "runs").mkdir(parents=True)
    (artifacts / "boards").mkdir(parents=True)
    with FileLock(data / ".up.lock"), FileLock(artifacts / "boards" / ".run.lock"):
        check = check_locks(data, artifacts)
    assert (check.verdict, check.found) == ("ok", f"kensa up runs here, a run retrains into {artifacts / 'boards'}")
    (data / "runs" / "0123.lock").touch()
    check = check_locks(data, artifacts)
    assert (check.verdict, check.found) == ("warning", "none is held; died: 0123")


def test_the_journals_of_all_lines(tmp_path):
    assert checks(tmp_path, "journal") == [("ok", "none yet", "")]
    artifacts = tmp_path / "artifacts" / "boards"
    parts.release(artifacts, "v1")
    promote(artifacts, "v1")
    assert checks(tmp_path, "journal") == [("ok", "1 with 2 entries, intact", "")]
    decide(artifacts, decision(), known=0)
    kept = artifacts / "review" / "decisions.jsonl"
    content = kept.read_text()
    kept.write_text(content.replace("dent", "dint", 1))
    ((verdict, found, _),) = checks(tmp_path, "journal")
    assert verdict == "failed"
    assert "decision 1 is not as it was written" in found
    kept.write_text(content)
    path = artifacts / JOURNAL_FILE
    path.write_text(path.read_text().replace("released", "promoted", 1))
    ((verdict, found, _),) = checks(tmp_path, "journal")
    assert verdict == "failed"
    assert "entry 1 is not as it was written" in found


def test_the_hub_and_its_token(tmp_path, monkeypatch):
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        assert checks(tmp_path, "Hub", "token")[0] == ("ok", f"{hub.endpoint} answers", "")
        monkeypatch.setenv("HF_TOKEN", "hf_x")
        assert checks(tmp_path, "token") == [("ok", "of acme", "")]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert checks(tmp_path, "Hub")[0][:2] == ("warning", "HF_HUB_OFFLINE is set: only what is here is read")


@pytest.mark.parametrize(
    ("off", "verdict", "word"), [(0, "ok", ""), (-90, "failed", "ahead of"), (90, "failed", "behind")]
)
def test_a_clock_that_is_wrong(off, verdict, word):
    told = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=off)
    check = installation._compare_clock(told)
    assert check.verdict == verdict
    assert word in check.found


@pytest.mark.slow
def test_a_server_with_and_without_a_worker(tmp_path, server, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"{server.url}/api")
    [(state, found, _), (worker, _, cure)] = checks(tmp_path, "server", "worker")
    assert (state, found.startswith(server.url)) == ("ok", True)
    assert (worker, cure) == ("failed", "run kensa up, or prefect worker start --pool kensa")
    command = [
        str(BIN / "prefect"),
        "worker",
        "start",
        "--pool",
        "kensa",
        "--type",
        "process",
        "--name",
        "w",
        "--run-once",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert checks(tmp_path, "worker") == [("ok", "1 in the pool kensa: w", "")]


def test_a_server_that_does_not_answer_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    [(verdict, found, _)] = checks(tmp_path, "server")
    assert (verdict, "no Prefect server answers" in found) == ("failed", True)


@pytest.mark.parametrize(("plugin", "verdict"), [(False, "warning"), (True, "ok")])
def test_a_gpu_that_the_backend_does_not_use_is_told(tmp_path, monkeypatch, plugin, verdict):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H200 (UUID: GPU-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    real = installation.importlib.util.find_spec
    monkeypatch.setattr(
        installation.importlib.util, "find_spec", lambda name: plugin if name.startswith("jax_cuda") else real(name)
    )
    [(state, found, _)] = checks(tmp_path, "GPU")
    assert state == verdict
    assert found.startswith("GPU 0: NVIDIA H200; backend jax")


def test_it_imports_no_large_library():
    code = "import sys; from pathlib import Path; from kensa.installation import check_installation\n"
    code += "list(check_installation(Path('data'), Path('artifacts'))); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "jax", "pyarrow", "pandas", "prefect"} & set(done.stdout.split())
