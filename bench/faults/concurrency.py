"""Two at once: the same folder, two processes, and nothing lost between them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.faults.harness import ROOT, Ended, copied, find_damage, hidden, left_over, run_in_child, walk, written
from bench.faults.killed_steps import Prepared
from bench.faults.result_row import RECOVERED, REFUSED, Row
from flows.service.ledger import Ledger
from tasks.config.run import RunConfig
from tasks.core.inspection import ScoreRequest
from tasks.core.results import DownloadedSource
from tasks.download import resolve
from tasks.registry.champion import champion_state, promote, rollback
from tasks.registry.releases import releases
from tasks.score import score


def pairs(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    prepared, tries = Prepared(folder), max(2, round(20 * share))
    rows = [
        Row("two at once", kind).timed(lambda row, two=two: two(prepared, row, tries))
        for kind, two in (
            ("two retrainings of the same data", _same),
            ("two retrainings of different data", _different),
            ("a retraining and a score", _score),
            ("a promote and a rollback", _moves),
            ("two runs that claim one version", _claims),
        )
    ]
    rows.append(Row("two at once", "two `kensa up` in one folder").timed(lambda row: _up(folder, row, tries)))
    return rows


def both(first: Any, second: Any) -> tuple[Ended, Ended]:
    """Two pieces of work in two processes at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        first_end, second_end = pool.submit(run_in_child, first), pool.submit(run_in_child, second)
        return first_end.result(), second_end.result()


def _same(prepared: Prepared, row: Row, tries: int) -> None:
    """One releases, the other waits and finds it unchanged."""
    for _ in range(tries):
        config = prepared.without(None)
        ends = both(lambda c=config: walk(c).status, lambda c=config: walk(c).status)
        if sorted(str(end.value) for end in ends) != ["released", "unchanged"]:
            row.count(f"{ends}")
            continue
        row.count(_ended(prepared, config, ["v1", "v2"]))


def _ended(prepared: Prepared, config: RunConfig, history: list[str]) -> str:
    artifacts = config.artifacts_path
    if wrong := find_damage(artifacts):
        return wrong
    if list(champion_state(artifacts).history) != history:
        return f"expected {history}, found {champion_state(artifacts).history}"
    return f"left over: {files}" if (files := left_over(prepared.work)) else RECOVERED


def _different(prepared: Prepared, row: Row, tries: int) -> None:
    """Both end in an outcome of their own, one after the other; releases and drafts together are two more."""
    for _ in range(tries):
        config = prepared.without(None)
        other = replace(config, evaluate=replace(config.evaluate, target=0.06))
        ends = both(lambda c=config: walk(c).status, lambda c=other: walk(c).status)
        artifacts = config.artifacts_path
        if any(end.value not in ("released", "rejected") for end in ends) or find_damage(artifacts):
            row.count(f"{ends}")
            continue
        placed = len(releases(artifacts)) + len(list((artifacts / "drafts").glob("*")))
        released = 1 + sum(end.value == "released" for end in ends)
        fine = placed == 3 and len(champion_state(artifacts).history) == released and not left_over(prepared.work)
        row.count(RECOVERED if fine else f"{placed} releases and drafts, {champion_state(artifacts)}")


def _score(prepared: Prepared, row: Row, tries: int) -> None:
    """The verdicts are those of v1 or of v2, whole, whichever was champion."""
    parts_folder = written(hidden(20, seed=9), prepared.work.parent / "new")
    for _ in range(tries):
        config = prepared.without(None)
        source = DownloadedSource(resolve(str(parts_folder), None, config.data_path), str(parts_folder))
        request, artifacts = ScoreRequest(prepared.work / "verdicts.parquet"), config.artifacts_path
        ends = both(
            lambda c=config: walk(c).status,
            lambda a=artifacts, f=source, r=request: score(f, a, r).as_json()["release"],
        )
        fine = ends[0].value == "released" and ends[1].value in ("v1", "v2")
        row.count(_ended(prepared, config, ["v1", "v2"]) if fine else f"{ends}")


def _moves(prepared: Prepared, row: Row, tries: int) -> None:
    """Whoever is first, the end is one that some order of the two gives."""
    config = prepared.without(None)
    if (end := run_in_child(lambda: walk(config).status)).value != "released":
        raise AssertionError(end)
    two = copied(prepared.work, prepared.work.parent / "two")
    for _ in range(tries):
        artifacts = Path(shutil.copytree(two, prepared.work, dirs_exist_ok=True)) / "artifacts"
        shutil.rmtree(artifacts)
        shutil.copytree(two / "artifacts", artifacts)
        ends = both(lambda a=artifacts: promote(a, "v1").version, lambda a=artifacts: rollback(a).version)
        state = champion_state(artifacts)
        orders = (["v1", "v2"], ["v1"])  # promote then rollback; rollback then promote
        fine = not any(end.error for end in ends) and list(state.history) in orders
        row.count(RECOVERED if fine and state.champion == state.history[-1] else f"{ends} {state}")


def _claims(prepared: Prepared, row: Row, tries: int) -> None:
    """One trains, the other hears that it is running."""
    for number in range(tries):
        place, sha = prepared.work.parent / "claims", f"{number:040x}"
        Ledger(place).head("boards", sha)
        ends = both(
            lambda p=place, s=sha: Ledger(p).claim("boards", s, "one"),
            lambda p=place, s=sha: Ledger(p).claim("boards", s, "other"),
        )
        fine = sorted(str(end.value) for end in ends) == ["running", "train"]
        row.count(RECOVERED if fine else f"{ends}")


def _up(folder: Path, row: Row, tries: int) -> None:
    """One of them goes on, the other refuses at once."""
    place = folder / "up"
    for name in ("prefect.yaml", "flows"):
        (place.mkdir(exist_ok=True), (place / name).exists() or (place / name).symlink_to(ROOT / name))
    (place / "kensa.toml").write_text('[lines.demo]\ntrain = "demo"\n')
    words = [str(Path(sys.executable).parent / "kensa"), "up"]
    env = {**os.environ, "HOME": str(place), "PREFECT_HOME": str(place / "prefect"), "PYTHONPATH": str(ROOT)}
    for _ in range(tries):
        options = ("--port", "--webhook-port", "--pages-port")
        ports = [[word for option in options for word in (option, str(_free()))] for _ in range(2)]
        two = [
            subprocess.Popen([*words, *port], cwd=place, env=env, stderr=subprocess.PIPE, text=True) for port in ports
        ]
        while all(process.poll() is None for process in two):
            time.sleep(0.1)
        running, refused = sorted(two, key=lambda process: process.poll() is not None)
        lines = refused.stderr.read().strip().splitlines()
        time.sleep(1)
        fine = refused.wait() == 2 and len(lines) == 1 and "runs here already" in lines[0] and running.poll() is None
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=120)
        row.count(REFUSED if fine and running.returncode == 0 else f"{lines} {running.returncode}")


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
