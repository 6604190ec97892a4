"""SIGKILL of the real `kensa retrain`, with a real Prefect server, at random moments; then the command again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np

from bench.faults.harness import contents, find_damage, hidden, left_over, timeless, written
from bench.faults.killed_steps import Prepared
from bench.faults.result_row import RECOVERED, Row
from tasks.config.overrides import to_overrides
from tasks.registry.champion import champion_state

BIN = Path(sys.executable).parent


def commands(folder: Path, seed: int, share: float) -> list[Row]:
    """The one row of this part."""
    return [
        Row("command", "SIGKILL of `kensa retrain` and all its children at random moments", seed).timed(
            lambda row: _killed(folder, row, max(2, round(20 * share)))
        )
    ]


def _killed(folder: Path, row: Row, tries: int) -> None:
    prepared = Prepared(folder)
    port = _free()
    env = {**os.environ, "PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    env |= {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "HOME": str(folder)}
    served = [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(served, env=env, stdout=log, stderr=log)
    try:
        _answering(f"http://127.0.0.1:{port}/api/health")
        written(hidden(), prepared.before / "source")
        whole_run = _run(prepared, env)
        if (outcome := _ended(prepared, None)) != RECOVERED:
            raise AssertionError(f"undisturbed: {outcome}")
        wanted = timeless(prepared.work / "artifacts")
        for moment in np.random.default_rng(row.seed).uniform(1, whole_run, tries):
            outcome = _one(prepared, env, moment, wanted)
            row.count(outcome if outcome == RECOVERED else f"after {moment:.2f} s: {outcome}")
        row.notes = f"an undisturbed one takes {whole_run:.0f} s"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)


def _one(prepared: Prepared, env: dict[str, str], moment: float, wanted: dict[str, str]) -> str:
    before = contents(prepared.before / "artifacts")
    _run(prepared, env, moment)
    artifacts = prepared.work / "artifacts"
    if wrong := find_damage(artifacts):
        return f"after the kill: {wrong}"
    if champion_state(artifacts).champion == "v1" and not set(before) <= set(contents(artifacts)):
        return "the former champion was touched"
    _run(prepared, env, fresh=False)
    return _ended(prepared, wanted)


def _run(prepared: Prepared, env: dict[str, str], moment: float | None = None, fresh: bool = True) -> float:
    """The command in a copy of the folder with v1; killed with all that it started where a moment is given."""
    from bench.faults.harness import copied

    if fresh:
        copied(prepared.before, prepared.work)
    settings = [word for text in to_overrides(prepared.config) for word in ("--set", text)]
    words = [BIN / "kensa", "retrain", "--train", "source", "--preset", "notebook", *settings]
    start = time.monotonic()
    child = subprocess.Popen(
        words, cwd=prepared.work, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        child.wait(moment or 300)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return time.monotonic() - start


def _ended(prepared: Prepared, wanted: dict[str, str] | None) -> str:
    artifacts = prepared.work / "artifacts"
    if wrong := find_damage(artifacts):
        return wrong
    if champion_state(artifacts).history != ("v1", "v2"):
        return f"the champions are {champion_state(artifacts).history}"
    if wanted is not None and timeless(artifacts) != wanted:
        return "another release than that of an undisturbed run"
    return f"left over: {files}" if (files := left_over(prepared.work)) else RECOVERED


def _answering(url: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise TimeoutError(url)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
