"""Judges new parts with the champion, or with a release of one's choice."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.service.lines import read_lines
from flows.service.run_guard import guarded_run
from flows.ui import artifacts
from tasks import steps
from tasks.config.run import RunConfig
from tasks.core.results import ScoreResult


@flow(name="score", persist_result=False)
def score(
    source: str,
    line: str | None = None,
    release: str | None = None,
    against: str | None = None,
    out: str = "verdicts.parquet",
) -> ScoreResult:
    """Write the verdict on every record of a source to a file: good, defect or unknown, and why.

    Args:
        source: What is to be judged: org/name[@revision] on the Hub, a folder of tables, or demo.
        line: The product line of kensa.toml whose champion judges; without it, the champion of artifacts/.
        release: A release such as v3 that judges in the champion's place.
        against: Another release; the records whose verdict it would change are listed and shown.
        out: The Parquet file that the verdicts are written to, in the worker's folder; the page lies beside it.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        config = read_lines()[line].config if line else RunConfig()
        resolved = steps.resolve(source, None, config.data_path)
        page = str(Path(out).with_suffix(".html"))
        scored = steps.score(steps.download(resolved), config, release, str(Path(out)), page, against)
        artifacts.verdicts(scored, config.report.language)
        return scored
