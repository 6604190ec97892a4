"""Writes a release as one file that gives verdicts without Kensa."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import State, flow

from flows.service.lines import artifacts_of
from flows.service.run_locks import guarded_run
from flows.ui.run_names import line_run_name
from flows.ui.states import export_state
from tasks import steps
from tasks.core.results import ExportResult
from tasks.registry.champion import select_release


@flow(name="export", flow_run_name=line_run_name, persist_result=False)
def export(
    line: str | None = None,
    version: str | None = None,
    format: Literal["onnx", "savedmodel"] = "onnx",  # the option's name, which the form shows
    out: str | None = None,
) -> State[ExportResult]:
    """Write a release as ONNX or SavedModel, if the file gives the same verdicts as the release.

    Args:
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        version: A release such as v3; without it, the champion.
        format: Format of the file.
        out: An empty or new folder; without it, exports/VERSION-FORMAT beside the releases.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        artifacts = artifacts_of(line)
        release = select_release(artifacts, version)
        return export_state(steps.export(artifacts, release.version, format, Path(out) if out else None))
