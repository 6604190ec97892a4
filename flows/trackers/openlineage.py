"""OpenLineage: which revision of which dataset went into a run, and which release came out of it.

The client reads its own configuration: OPENLINEAGE_URL, OPENLINEAGE_CONFIG (a file) or OPENLINEAGE__TRANSPORT__….
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.trackers.finished_run import FinishedRun, RunSource
from tasks.core.errors import MissingExtra

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

CONFIGURED_BY = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")  # beginnings of variables
NAMESPACE = "OPENLINEAGE_NAMESPACE"  # of the job: the variable that other integrations read, too
PRODUCER = "urn:kensa-inspection"  # a URI, as the specification asks, that leads to nobody else


class OpenLineageHook:
    """Sends START and COMPLETE of a run, or START and FAIL."""

    name = "OpenLineage"

    def send(self, run: FinishedRun) -> None:
        """Raises what the client and its transport do."""
        from openlineage.client import OpenLineageClient

        client = OpenLineageClient()
        for event in run_events(run):
            client.emit(event)
        client.close()


def configured_hook() -> OpenLineageHook | None:
    """The hook where the environment configures the client; raises MissingExtra where the client is not installed."""
    if not any(name.startswith(CONFIGURED_BY) and value for name, value in os.environ.items()):
        return None
    if importlib.util.find_spec("openlineage") is None:
        raise MissingExtra("OPENLINEAGE_URL", "openlineage-python", "lineage")
    return OpenLineageHook()


def run_events(run: FinishedRun) -> list[RunEvent]:
    """START and COMPLETE, with the datasets at their revisions, and the release; a rejected draft is no output.

    A failed run has START and FAIL, with the error.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

    namespace = os.environ.get(NAMESPACE) or "kensa"
    job = Job(namespace=namespace, name=f"retrain.{run.line or run.train}")
    inputs = [InputDataset(*dataset_name(source), facets=_version(source.revision)) for source in run.sources]
    outputs = [] if run.release is None else [OutputDataset("file", str(run.folder), facets=_version(run.release))]
    end = RunState.COMPLETE if run.error is None else RunState.FAIL
    return [
        RunEvent(
            eventTime=time.isoformat(),
            producer=PRODUCER,
            run=Run(runId=run.run, facets={} if state == RunState.START else _error(run)),
            job=job,
            eventType=state,
            inputs=inputs,
            outputs=[] if state == RunState.START else outputs,
        )
        for state, time in ((RunState.START, run.began), (end, run.ended))
    ]


def dataset_name(source: RunSource) -> tuple[str, str]:
    """Namespace and name of a dataset, by OpenLineage's naming: store and path, or `file` and an absolute path."""
    text = source.source.partition("#")[0]
    if source.kind == "demo":
        return "kensa", "demo"
    if source.kind == "hub":
        return "hf://datasets", text.removeprefix("hf://datasets/")
    if source.kind == "address":
        scheme, _, path = text.partition("://")
        host, _, name = path.partition("/")
        return f"{scheme}://{host}", name or "/"
    return "file", str(Path(text.removeprefix("file://")).resolve())


def _version(version: str) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=version)}


def _error(run: FinishedRun) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run

    if run.error is None:
        return {}
    return {"errorMessage": error_message_run.ErrorMessageRunFacet(message=run.error, programmingLanguage="python")}
