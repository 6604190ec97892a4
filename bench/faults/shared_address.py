"""Two machines that promote at the same address at the same moment, with `--artifacts` of a disk and of S3."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from support.inspected_parts import release
from support.s3_server import s3_server

from bench.faults.concurrency import both
from bench.faults.harness import Ended, find_damage, run_in_child
from bench.faults.result_row import RECOVERED, Row
from kensa.mirror import MIRRORS, local_copies
from tasks.registry.champion import champion_state, promote

VERSIONS, MACHINES = ("v1", "v2", "v3", "v4"), ("first", "second")


def addresses(folder: Path, seed: int, share: float) -> list[Row]:
    """All rows of this part."""
    tries = max(2, round(50 * share))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    with s3_server("faults") as env:
        os.environ |= env
        return [
            Row("addresses", f"two machines promote at one address at once ({kind})", seed).timed(
                lambda row, kind=kind, address=address: _promotions(folder / kind, address, row, tries)
            )
            for kind, address in (("disk", (folder / "store").as_uri()), ("S3", "s3://faults/line"))
        ]


def _promotions(mirrors: Path, address: str, row: Row, tries: int) -> None:
    first = run_in_child(lambda: _filled(mirrors / MACHINES[0], address))
    assert first.value == VERSIONS[0], first
    champion, rng = VERSIONS[0], np.random.default_rng(row.seed)
    for _ in range(tries):
        moves = rng.permutation([version for version in VERSIONS if version != champion])[:2].tolist()
        gate = multiprocessing.get_context("fork").Barrier(2)
        works = (
            lambda name=name, move=move, gate=gate: _promoted(mirrors / name, address, move, gate)
            for name, move in zip(MACHINES, moves, strict=True)
        )
        champion, outcome = _outcome(mirrors, address, moves, both(*works))
        row.count(outcome)


def _filled(mirror: Path, address: str) -> str:
    """Releases at an address that has none yet, the first of them the champion."""
    with _copy(mirror, address) as artifacts:
        for version in VERSIONS:
            release(artifacts, version)
        return promote(artifacts, VERSIONS[0]).version


def _promoted(mirror: Path, address: str, version: str, gate: Any = None) -> str:
    """Promote as a command on a machine does; gate: where it waits for the other before anything is sent."""
    with _copy(mirror, address) as artifacts:
        promote(artifacts, version)
        if gate is not None:
            gate.wait(60)
    return version


@contextlib.contextmanager
def _copy(mirror: Path, address: str) -> Iterator[Path]:
    """The machine's copy of the artifacts, as a command gets it and sends it."""
    os.environ[MIRRORS] = str(mirror)
    options = {"artifacts": Path(address)}
    with local_copies(options):
        yield options["artifacts"]


def _outcome(mirrors: Path, address: str, moves: list[str], ends: tuple[Ended, Ended]) -> tuple[str, str]:
    """The champion after a try, and how it ended: one machine wins, the other gets an error and tries again."""
    won = [end.value for end in ends if end.value is not None]
    refused = [end for end in ends if end.error == "ChampionMoved" and "\n" not in end.text]
    seen = run_in_child(lambda: _seen(mirrors / "third", address)).value
    if (len(won), len(refused)) != (1, 1) or seen != won[0]:
        return str(seen), f"{ends}, and another machine sees {seen}"
    loser = 1 - moves.index(won[0])
    mirror, move = mirrors / MACHINES[loser], moves[loser]
    (kept,) = mirror.glob("*/artifacts-*")
    if champion_state(kept).champion != move:
        return str(seen), f"what the other machine did is not kept: {champion_state(kept)}"
    shutil.rmtree(kept)
    again = run_in_child(lambda: _promoted(mirror, address, move))
    return move, RECOVERED if again.value == move else f"the next try ended {again}"


def _seen(mirror: Path, address: str) -> str | None:
    """The champion that another machine sees, all of whose releases are whole."""
    with _copy(mirror, address) as artifacts:
        return find_damage(artifacts) or champion_state(artifacts).champion
