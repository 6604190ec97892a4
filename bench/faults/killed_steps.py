"""SIGKILL at every operation on a file, in every step, and at random moments; then the same run again.

A child process kills itself before the n-th thing that it does to a file, for n = 1, 2, 3, … until a step ends
undisturbed. What native code does to files in between is met by kills at random moments.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bench.faults.harness import (
    STEPS,
    copied,
    ended_as,
    find_damage,
    hidden,
    moved_to,
    run_in_child,
    small,
    timeless,
    walk,
    written,
)
from bench.faults.kill_points import die_at
from bench.faults.result_row import RECOVERED, Row
from tasks.caching import pieces
from tasks.config.run import RunConfig
from tasks.registry.champion import champion_state, promote, rollback

LATER = 400  # no step does more to files than this
GROUP_ROWS = 150  # a quarter of the source; a piece of its cache in the row about pieces
FOLDERS = {"cache": "cache/records-*", "triplets": "stages/triplets-*", "train": "stages/model-*"}
FOLDERS |= {"evaluate": "stages/report-*"}


class Prepared:
    """A folder with the champion v1 and every stage of the run that makes v2, and what that run leaves."""

    def __init__(self, folder: Path) -> None:
        self.base, self.work = folder / "base", folder / "work"
        written(hidden(), self.base / "source", GROUP_ROWS)
        first = run_in_child(lambda: walk(small(self.base, epochs=2)).status)
        self.before = copied(self.base, folder / "before")
        self.config = small(self.base)
        second = run_in_child(lambda: walk(self.config).status)
        assert (first.value, second.value) == ("released", "released"), (first, second)
        self.wanted = timeless(self.base / "artifacts")
        shutil.rmtree(self.base / "artifacts")  # as before the second run, but with its stages
        shutil.copytree(self.before / "artifacts", self.base / "artifacts")

    def without(self, step: str | None) -> RunConfig:
        """The run, in a fresh copy in which it finds every stage but that of one step."""
        copied(self.base, self.work)
        for stage in (self.work / "data").glob(FOLDERS.get(step or "", "no such stage")):
            if step != "train" or stage.name not in {path.name for path in self.before.glob("data/stages/model-*")}:
                shutil.rmtree(stage)
        return moved_to(self.config, self.work)


def after_a_kill(prepared: Prepared, config: RunConfig) -> str:
    """How the next run finds things after a kill, and ends."""
    artifacts = config.artifacts_path
    if wrong := find_damage(artifacts):
        return f"after the kill: {wrong}"
    if (champion := champion_state(artifacts).champion) not in ("v1", "v2"):
        return f"after the kill the champion is {champion}"
    again = run_in_child(lambda: walk(config).status)
    if again.error or again.value not in ("released", "unchanged"):
        return f"the next run ended {again.value}: {again.error} {again.text}"
    if pieces_left := [path.name for path in config.data_path.glob(f"cache/{pieces.PIECE_STAGE}-*")]:
        return f"left over: {pieces_left}"
    return ended_as(artifacts, prepared.wanted, ["v1", "v2"]) or RECOVERED


def at_every_operation(prepared: Prepared, step: str, row: Row, every: int) -> None:
    """Kill `step` before each of its operations (each `every`-th), and run again."""
    for number in range(1, LATER, every):
        config = prepared.without(step)

        def dying(number: int = number, config: RunConfig = config) -> str:
            die_at(number, prepared.work)
            return walk(config).status

        ended = run_in_child(dying)
        if not ended.killed:
            if ended.error:
                row.count(f"operation {number}: {ended.error} {ended.text}")
            row.notes = f"{number - 1} operations"
            return
        outcome = after_a_kill(prepared, config)
        row.count(outcome if outcome == RECOVERED else f"operation {number}: {outcome}")


def in_pieces(prepared: Prepared, row: Row, every: int) -> None:
    """Kill the step `cache` of a source in pieces, as a large one is cached, before each of its operations."""
    usual, pieces.PIECE_ROWS = pieces.PIECE_ROWS, GROUP_ROWS
    try:
        at_every_operation(prepared, "cache", row, every)
    finally:
        pieces.PIECE_ROWS = usual


def at_random(prepared: Prepared, row: Row, tries: int) -> None:
    """Kill the whole walk, with nothing prepared but the champion, at random moments."""
    draw = np.random.default_rng(row.seed)
    for moment in draw.uniform(0.02, 3.2, tries):
        copied(prepared.before, prepared.work)
        config = moved_to(prepared.config, prepared.work)
        run_in_child(lambda config=config: walk(config).status, after=moment)
        outcome = after_a_kill(prepared, config)
        row.count(outcome if outcome == RECOVERED else f"after {moment:.3f} s: {outcome}")


def of_the_pointer(prepared: Prepared, row: Row) -> None:
    """Kill promote and rollback before each of their operations: the champion is the old one or the new one."""
    for move, wanted in ((lambda folder: promote(folder, "v1"), "v1"), (rollback, "v1")):
        for number in range(1, LATER):
            config = prepared.without(None)
            artifacts = config.artifacts_path
            run_in_child(lambda config=config: walk(config).status)

            def dying(number: int = number, artifacts: Path = artifacts, move: Any = move) -> str:
                die_at(number, prepared.work)
                return move(artifacts).version

            ended = run_in_child(dying)
            if not ended.killed:
                break
            if wrong := find_damage(artifacts):
                row.count(wrong)
                continue
            champion = champion_state(artifacts).champion
            again = wanted if champion == wanted else run_in_child(lambda a=artifacts, m=move: m(a).version).value
            row.count(RECOVERED if (champion in ("v1", "v2") and again == wanted) else f"{champion}, then {again}")


def kills(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    prepared, every = Prepared(folder), max(1, round(1 / share))
    rows = [
        Row("kill", f"SIGKILL at every file operation of {step}").timed(
            lambda row, step=step: at_every_operation(prepared, step, row, every)
        )
        for step in STEPS
    ]
    rows.insert(
        1,
        Row("kill", "SIGKILL at every file operation of cache in 4 pieces").timed(
            lambda row: in_pieces(prepared, row, every)
        ),
    )
    rows.append(
        Row("kill", "SIGKILL at random moments of the whole walk", seed).timed(
            lambda row: at_random(prepared, row, max(2, round(40 * share)))
        )
    )
    if share >= 1:
        rows.append(
            Row("kill", "SIGKILL at every file operation of promote and rollback").timed(
                lambda row: of_the_pointer(prepared, row)
            )
        )
    return rows
