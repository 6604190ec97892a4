"""Compares new parts with a release's reference, and notifies people of a drift."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.service.lines import NewPartsSource, ProductLine, read_lines
from flows.service.run_locks import guarded_run
from flows.ui import notify
from flows.ui.artifacts import publish_drift, publish_lines
from flows.ui.history_texts import publish_history
from flows.ui.run_names import line_run_name
from flows.ui.shadow_texts import publish_shadow
from flows.ui.states import drift_state
from tasks import steps
from tasks.config.run import ARTIFACTS_FOLDER
from tasks.core.errors import BadSetting, SomeLinesFailed
from tasks.core.inspection import DriftResult, ScoreRequest
from tasks.core.results import DownloadedSource

PAGES = f"{ARTIFACTS_FOLDER}/drift"


@flow(name="drift", flow_run_name=line_run_name, persist_result=False, on_failure=[notify.send_failure])
def drift(
    line: str = "all",
    source: str | None = None,
    release: str | None = None,
    out: str = PAGES,
    config: str | None = None,
    part: str | None = None,
) -> State[list[DriftResult]]:
    """Draw control charts of new parts and test their cells; a run that finds a drift completes, and notifies.

    Args:
        line: The product line of kensa.toml whose champion is used, or all: each line with a setting drift.
        source: The new parts in place of the line's setting: org/name[@revision] on the Hub, files, a folder, an
            address, or demo; several with ; between.
        release: A release such as v3 to use in place of the champion.
        out: The folder of the pages, one for each line; they have addresses if it is below artifacts/.
        config: The configuration of the source, if it has several.
        part: The split of the source to read.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        lines = read_lines()
        if line != "all":
            parts = _new_parts(lines[line], source, config, part)
            return drift_state([_check_line(lines[line], parts, release, out)])
        if source or release or config or part:
            raise BadSetting("line all: expected no source, release, config or part, which are a single line's")
        return drift_state(_check_all_lines([entry for entry in lines.by_name.values() if entry.drift], out))


def _check_all_lines(lines: list[ProductLine], out: str) -> list[DriftResult]:
    """Each line in turn; a line that fails does not stop the others."""
    if not lines:
        get_run_logger().info("no line of kensa.toml names its new parts as drift; nothing to compare")
    states = {line.name: drift(line=line.name, out=out, return_state=True) for line in lines}
    if states:
        publish_lines(states, "lines-drift")
    failed = [name for name, state in states.items() if not state.is_completed()]
    if failed:
        raise SomeLinesFailed(f"{', '.join(failed)} failed, {len(lines) - len(failed)} of {len(lines)} lines were done")
    return [result for state in states.values() for result in state.result()]


def _new_parts(line: ProductLine, source: str | None, config: str | None, part: str | None) -> NewPartsSource:
    """The source of the parameters, or else the line's own, of which they may choose another configuration or split."""
    parts = NewPartsSource(source) if source else line.drift
    if parts is None:
        raise BadSetting(f"line {line.name}: expected drift in kensa.toml, or a source, to compare; found neither")
    return replace(parts, config=config or parts.config, part=part or parts.part)


def _check_line(line: ProductLine, parts: NewPartsSource, release: str | None, out: str) -> DriftResult:
    downloaded = steps.download(steps.resolve(parts.source, None, line.config.data_path))
    page = Path(out) / f"{line.name}.html"
    words = {"config": parts.config, "part": parts.part, "dask": line.config.engine.dask}
    result = steps.drift(downloaded, line.config.artifacts_path, page, version=release, **words)
    publish_drift(result, line)
    if line.shadow and release is None:
        _judge_beside(downloaded, line, parts)
    publish_history(line.config.artifacts_path, line.name, line.config.report.language)
    notify.send_drift(result, line.name)
    return result


def _judge_beside(downloaded: DownloadedSource, line: ProductLine, parts: NewPartsSource) -> None:
    """Let the champion and the model beside it judge the new parts."""
    artifacts = line.config.artifacts_path
    words = {"config": parts.config, "part": parts.part, "dask": line.config.engine.dask}
    request = ScoreRequest(artifacts / "shadow" / "verdicts.parquet", shadow=True, **words)
    publish_shadow(steps.score(downloaded, artifacts, request), artifacts, line.name, line.config.report.language)
