"""Scores new parts with the champion or with another release."""

from __future__ import annotations

from pathlib import Path

from prefect import State, flow

from flows.service.lines import read_lines
from flows.service.run_locks import guarded_run
from flows.ui.artifacts import publish_verdicts
from flows.ui.history_texts import publish_history
from flows.ui.run_names import line_run_name
from flows.ui.shadow_texts import publish_shadow
from flows.ui.states import score_state
from tasks import steps
from tasks.config.run import ARTIFACTS_FOLDER, DATA_FOLDER
from tasks.core.inspection import ScoreRequest, ScoreResult

VERDICTS = f"{ARTIFACTS_FOLDER}/verdicts/verdicts.parquet"


@flow(name="score", flow_run_name=line_run_name, persist_result=False)
def score(
    source: str,
    line: str | None = None,
    release: str | None = None,
    against: str | None = None,
    out: str = VERDICTS,
    config: str | None = None,
    part: str | None = None,
    good: str | None = None,
) -> State[ScoreResult]:
    """Write the verdict on every record of a source to a file, good, defect or unknown, and a page that explains it.

    Args:
        source: The records to score: org/name[@revision] on the Hub, files, a folder, an address, or demo;
            several with ; between.
        line: The product line of kensa.toml whose champion is used; without it, the champion of artifacts/.
        release: A release such as v3 to use in place of the champion.
        against: Another release; the records whose verdict it would change are listed and shown.
        out: The Parquet file of the verdicts; the page lies beside it, and has an address if it is below artifacts/.
        config: The configuration of the source, if it has several.
        part: The split of the source to read.
        good: The label of a good part in the source; without it, the one of the release's training source.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        data, releases, language, shadow, dask = Path(DATA_FOLDER), Path(ARTIFACTS_FOLDER), "en", False, None
        if line:
            run, shadow = read_lines()[line].config, read_lines()[line].shadow
            dask = run.engine.dask
            data, releases, language = run.data_path, run.artifacts_path, run.report.language
        page = Path(out).with_suffix(".html")
        words = {"config": config, "part": part, "good": good, "shadow": shadow, "dask": dask}
        request = ScoreRequest(out=Path(out), page=page, version=release, against=against, **words)
        result = steps.score(steps.download(steps.resolve(source, None, data)), releases, request)
        publish_verdicts(result, line, language)
        publish_shadow(result, releases, line, language)
        if result.figures is not None:
            publish_history(releases, line, language)
        return score_state(result)
