"""Judges new parts with the champion, or with a release of one's choice."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows import board
from tasks import steps
from tasks.config import Retrain
from tasks.handover import Scored
from tasks.lines import read_lines


@flow(name="score", persist_result=False)
def score(source: str, line: str | None = None, release: str | None = None, out: str = "verdicts.parquet") -> Scored:
    """Write the verdict on every record of `source` to `out`; the release is the line's champion by default."""
    steps.log_known_errors_in_one_line()
    config = read_lines()[line].config if line else Retrain()
    resolved = steps.resolve(source, None, config)
    scored = steps.score(steps.download(resolved), config, release, str(Path(out)))
    board.verdicts(scored)
    return scored
