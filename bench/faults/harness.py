"""The small line that the faults are tried on: its walk as flows/retrain.py has it, and what it must have left."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets  # noqa: F401  # here, once, and not in every child
import matplotlib.pyplot  # noqa: F401  # as above
import numpy as np
import pyarrow.parquet as pq
from support.inspected_parts import COLS, ROWS, Parts, configured, map_column

from tasks.cache import cache
from tasks.config.fingerprints import fingerprint
from tasks.config.model import TowerConfig
from tasks.config.run import RunConfig
from tasks.core.results import RetrainResult
from tasks.download import download, resolve
from tasks.evaluate import evaluate
from tasks.publish import find_previous_result, publish
from tasks.registry.champion import champion_state, comparable_champion, exclusive_run
from tasks.registry.releases import releases, verify_release
from tasks.train import train
from tasks.triplets import triplets

ROOT = Path(__file__).parents[2]
STEPS = ("cache", "triplets", "train", "evaluate", "publish")


def hidden(each: int = 200, seed: int = 0) -> Parts:
    """Parts of three modes that a small tower separates and a mean map cannot."""
    rng = np.random.default_rng(seed)
    mode = np.tile(np.arange(3), each)
    side = rng.choice([-2.0, 2.0], len(mode))
    maps = rng.normal(0, 0.3, (len(mode), ROWS * COLS))
    maps[:, 3] += side * (mode > 0)
    maps[:, 12] += side * np.array([0, 1, -1])[mode]
    return Parts(maps.astype(np.float32), (mode > 0).astype(int), mode, np.array([""] * len(mode)))


def written(records: Parts, folder: Path, group_rows: int | None = None) -> Path:
    """The records as a folder of one Parquet file, with row groups of that size."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(map_column(records), folder / "table.parquet", row_group_size=group_rows)
    return folder


def small(folder: Path, epochs: int = 15) -> RunConfig:
    """A run that takes seconds, on the source in `folder`/source.

    Its test records are too few to show that another model has no more escapes: the gate does not ask for it.
    """
    config = configured(folder)
    gate = replace(
        config.gate, better="auroc", escape_margin=1.0, false_alarm_margin=1.0, auroc_margin=1.0, accuracy_margin=1.0
    )
    fit = replace(config.fit, epochs=epochs, learning_rate=0.01, prototype="mean-embedding")
    evaluate = replace(config.evaluate, bootstrap=100)
    tower = TowerConfig(widths="64-32-8")
    return replace(config, train=str(folder / "source"), fit=fit, tower=tower, evaluate=evaluate, gate=gate)


def walk(config: RunConfig) -> RetrainResult:
    """The line as flows/retrain.py walks it, in this process and without Prefect."""
    source = resolve(config.train, config.revision, config.data_path)
    identity = fingerprint(source, None, config)
    with exclusive_run(config.artifacts_path):
        if previous := find_previous_result(config, identity):
            return previous
        champion = comparable_champion(config)
        records = cache(download(source), config.data, config.data_path)
        bank = triplets(records, None, config)
        model = train(bank, config)
        source_facts = {"source": "parts", "kind": source.kind, "revision": source.revision, "source_kind": "map"}
        facts = {"train": {**source_facts, "records": 1, "modes": 3, "triplets": 1}, "test": None, "changes": None}
        report = evaluate(bank, model, config, champion, facts, records.findings)
        stages = {"cache": records.stage, "triplets": bank, "model": model, "report": report}
        return publish(stages, config, champion and champion.version, identity, facts)


def contents(folder: Path) -> dict[str, str]:
    """The digest of every file below a folder, but for locks."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }


def left_over(folder: Path) -> list[str]:
    """What is half-written: dotted names, but for locks and a training kept to be gone on with."""
    names = [path.name for path in folder.rglob(".*") if not path.name.endswith(".lock")]
    return [name for name in names if not re.fullmatch(r"\.training-[0-9a-f]{16}\.npz", name)]


@dataclass(frozen=True)
class Ended:
    """How a child ended: what it returned, the class and text of its error, or the signal that killed it."""

    value: Any = None
    error: str | None = None
    text: str = ""
    killed: bool = False


def run_in_child(work: Callable[[], Any], after: float | None = None) -> Ended:
    """Run `work` in a forked child, killed after so many seconds if asked; its value must be JSON.

    Forked, because importing Keras takes longer than the whole small line; the parent never trains.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _child(work, reading, writing)
    os.close(writing)
    if after is not None:
        _kill_later(child, after)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return Ended(killed=True, text=signal.Signals(os.WTERMSIG(status)).name)
    return Ended(**json.loads(text))


def _kill_later(child: int, after: float) -> None:
    import threading

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):  # it was quicker
            os.kill(child, signal.SIGKILL)

    timer = threading.Timer(after, kill)
    timer.daemon = True
    timer.start()


def _child(work: Callable[[], Any], reading: int, writing: int) -> None:
    """What the child does; it never returns."""
    os.close(reading)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    if not os.environ.get("FAULTS_LOUD"):
        os.dup2(quiet, 2)
    try:
        result = {"value": work()}
    except BaseException as error:  # the parent receives and judges it
        chain = "" if hasattr(error, "exit_code") else traceback.format_exc()
        result = {"error": type(error).__name__, "text": f"{error}\n{chain}".strip()}
    with os.fdopen(writing, "w") as pipe:
        pipe.write(json.dumps(result))
    os._exit(0)


def copied(base: Path, folder: Path) -> Path:
    """A fresh copy of a prepared folder."""
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(base, folder, symlinks=True))


def moved_to(config: RunConfig, folder: Path) -> RunConfig:
    """The same run in another folder."""
    places = {"data_folder": str(folder / "data"), "artifacts_folder": str(folder / "artifacts")}
    return replace(config, train=str(folder / "source"), **places)


def find_damage(artifacts: Path) -> str | None:
    """Why the artifacts are damaged, or None: every release verified, the champion one of them."""
    state = champion_state(artifacts)
    versions = {release.version for release in map(verify_release, releases(artifacts))}
    if state.champion is not None and state.champion not in versions:
        return f"the champion {state.champion} is gone"
    if any(before == after for before, after in itertools.pairwise(state.history)):
        return f"promoted twice: {state.history}"
    return None


def ended_as(artifacts: Path, wanted: dict[str, str], history: list[str]) -> str | None:
    """Why the artifacts are not what an undisturbed run leaves, or None.

    `wanted` are the digests of its releases' files that hold no time of day.
    """
    if wrong := find_damage(artifacts):
        return wrong
    if list(champion_state(artifacts).history) != history:
        return f"expected the champions {history}, found {champion_state(artifacts).history}"
    if timeless(artifacts) != wanted:
        return f"other releases than those of an undisturbed run: {_differing(timeless(artifacts), wanted)}"
    return f"left over: {left}" if (left := left_over(artifacts)) else None


def _differing(actual: dict[str, str], wanted: dict[str, str]) -> list[str]:
    return sorted(name for name in {*actual, *wanted} if actual.get(name) != wanted.get(name))


def timeless(artifacts: Path) -> dict[str, str]:
    """What of the releases is the same whenever they are made: weights, prototypes, thresholds, figures."""
    contents = {}
    for release in releases(artifacts):
        for name in ("anchors.npz", "split.npz", "gallery.npz", "threshold.json"):
            contents[f"{release.version}/{name}"] = release.manifest.files[name]
        contents[f"{release.version} weights"] = release.manifest.weights
        contents[f"{release.version} figures"] = json.dumps(release.manifest.metrics, sort_keys=True)
    return contents
