"""MLflow: each retraining as a run, each release as a version in the model registry, the champion under its alias.

The client reads its own configuration: MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI, MLFLOW_EXPERIMENT_NAME,
MLFLOW_TRACKING_TOKEN and so on. What a run holds is read from the sealed folder of its release or draft.
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.trackers.finished_run import FinishedRun, MovedChampion, tracked_name
from tasks.core.errors import MissingExtra
from tasks.core.files import file_digest
from tasks.core.stages import MANIFEST
from tasks.registry.manifest import SourceSummary
from tasks.registry.pointer import champion_state
from tasks.registry.releases import Release, get_release, read_release

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, ModelVersion

CONFIGURED_BY, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
CHAMPION = "champion"  # the alias
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else its pages are those for language models
MOST_PARAMS, MOST_VALUE, MOST_DIGEST = 100, 6000, 36  # a batch, and characters: MLflow's own limits
# The client prints to standard output, draws progress bars and reports its use to its makers unless it is told not to;
# a server that is gone is tried for two minutes.
CLIENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}


class MLflowHook:
    """Logs runs, registers releases, and keeps the alias `champion` where Kensa's champion is."""

    name = "MLflow"

    def __init__(self) -> None:
        for name, value in CLIENT_DEFAULTS.items():
            os.environ.setdefault(name, value)

    def send(self, run: FinishedRun) -> None:
        """Raises what the client does."""
        client = _client()
        if run.folder is None:
            _log_failure(client, run)
            return
        name, release = tracked_name(run.line, run.folder), read_release(run.folder)
        run_id = _log_release(client, name, release, run.began, run.ended)
        if run.release is not None:
            _register(client, name, release, run_id)
        if run.status == "released":
            _move_alias(client, name, run.folder)

    def send_champion(self, champion: MovedChampion) -> None:
        """Move the alias; a release that MLflow does not have yet is logged and registered first."""
        _move_alias(_client(), tracked_name(champion.line, champion.folder), champion.folder)


def configured_hook() -> MLflowHook | None:
    """The hook where the environment names a server; raises MissingExtra where the client is not installed."""
    if not os.environ.get(CONFIGURED_BY):
        return None
    if importlib.util.find_spec("mlflow") is None:
        raise MissingExtra(CONFIGURED_BY, "mlflow-skinny", "mlflow")
    return MLflowHook()


def _client() -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient()


def _experiment(client: MlflowClient, model: str) -> str:
    name = os.environ.get(EXPERIMENT) or model
    experiment = client.get_experiment_by_name(name)
    return client.create_experiment(name, tags=KIND) if experiment is None else experiment.experiment_id


def _start_run(client: MlflowClient, model: str, name: str, began: datetime.datetime, tags: dict[str, Any]) -> str:
    """The id of a new run; tags without a value are left out."""
    words = {key: str(value)[:MOST_VALUE] for key, value in tags.items() if value}
    words |= {"mlflow.source.name": "kensa", "mlflow.source.type": "PROJECT"}
    experiment = _experiment(client, model)
    return client.create_run(experiment, _milliseconds(began), words, run_name=name).info.run_id


def _log_failure(client: MlflowClient, run: FinishedRun) -> None:
    sources = "; ".join(f"{each.source}@{each.revision}" for each in run.sources)
    tags = {"kensa.status": run.status, "kensa.run": run.run, "kensa.error": run.error, "kensa.sources": sources}
    run_id = _start_run(client, tracked_name(run.line, None), f"failed {run.run[:8]}", run.began, tags)
    client.set_terminated(run_id, "FAILED", _milliseconds(run.ended))


def _log_release(
    client: MlflowClient, model: str, release: Release, began: datetime.datetime, ended: datetime.datetime
) -> str:
    """Log what the folder of a release or draft holds; the id of the run, which is failed where that raised."""
    manifest = release.manifest
    name = release.path.name if manifest.status != "rejected" else f"rejected {release.path.name[:8]}"
    run_id, status = _start_run(client, model, name, began, _tags(release)), "FAILED"
    try:
        _log_params(client, run_id, manifest.config)
        client.log_batch(run_id, metrics=_metrics(release, _milliseconds(ended)))
        client.log_inputs(run_id, list(_datasets(manifest.train, manifest.test)))
        _log_files(client, run_id, release)
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status, _milliseconds(ended))
    return run_id


def _tags(release: Release) -> dict[str, Any]:
    from tasks.registry.release_files import CARD_FILE  # numpy: a command that tells nobody does without

    manifest, author = release.manifest, release.manifest.made or {}
    return {
        "mlflow.user": author.get("by"),
        "mlflow.source.git.commit": (manifest.git_commit or "").rstrip("+"),
        "mlflow.note.content": (release.path / CARD_FILE).read_text(encoding="utf-8"),
        "kensa.status": manifest.status,
        "kensa.run": author.get("run"),
        "kensa.manifest": _seal(release),
        "kensa.reasons": "; ".join(manifest.reasons),
    }


def _log_params(client: MlflowClient, run_id: str, config: dict[str, Any]) -> None:
    from mlflow.entities import Param

    params = [Param(name, value[:MOST_VALUE]) for name, value in _flat(config)]
    for first in range(0, len(params), MOST_PARAMS):
        client.log_batch(run_id, params=params[first : first + MOST_PARAMS])


def _flat(settings: dict[str, Any], section: str = "") -> Iterator[tuple[str, str]]:
    """The settings as `section.name` and text, those that are not set left out."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{section}{name}.")
        elif value is not None:
            yield f"{section}{name}", str(value)


def _metrics(release: Release, now: int) -> list[Metric]:
    """The metrics of the manifest, and the curves of the training, an epoch a step."""
    from mlflow.entities import Metric

    from tasks.registry.release_files import read_report

    history = read_report(release.path).get("history") or {}
    figures = [(name, value, 0) for name, value in release.manifest.metrics.items()]
    figures += [
        (f"training/{name}", value, epoch["epoch"])
        for epoch in history.get("epochs", [])
        for name, value in epoch.items()
        if name != "epoch" and value is not None
    ]
    return [Metric(name, value, now, step) for name, value, step in figures if math.isfinite(value)]


def _datasets(*sources: SourceSummary | None) -> Iterator[DatasetInput]:
    """Each dataset that was read, at its revision, as input of the training or of the test."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    for context, source in zip(("training", "testing"), sources, strict=True):
        if source is None:
            continue
        for each in source.sources or [source.as_json()]:
            where = json.dumps({"uri": each["source"], "revision": each["revision"]})
            dataset = Dataset(each["source"][:500], each["revision"][:MOST_DIGEST], each.get("kind") or "kensa", where)
            yield DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def _log_files(client: MlflowClient, run_id: str, release: Release) -> None:
    """The whole release, so that whoever has it from MLflow can open it; of a draft, its pages and pictures."""
    if release.manifest.status != "rejected":
        client.log_artifacts(run_id, str(release.path), "release")
        return
    from tasks.registry.release_files import CARD_FILE, PICTURE_FILES, REPORT_FILE, REPORT_PAGE

    for name in (MANIFEST, CARD_FILE, REPORT_PAGE, REPORT_FILE, *PICTURE_FILES):
        if (release.path / name).exists():
            client.log_artifact(run_id, str(release.path / name), "draft")


def _register(client: MlflowClient, model: str, release: Release, run_id: str) -> ModelVersion:
    from mlflow.exceptions import RestException

    try:
        client.create_registered_model(model, description="Releases of Kensa; a version's run holds its files.")
    except RestException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{client.get_run(run_id).info.artifact_uri}/release"
    tags = {"kensa.release": release.version, "kensa.manifest": _seal(release)}
    return client.create_model_version(model, source, run_id, tags, description=release.version, await_creation_for=0)


def _move_alias(client: MlflowClient, model: str, folder: Path) -> None:
    """Let the alias name the champion of today, which may be another than that of a moment ago."""
    artifacts = folder.parents[1]
    champion = get_release(artifacts, champion_state(artifacts).champion or folder.name)
    version = _find_version(client, model, champion)
    if version is None:
        created = datetime.datetime.fromisoformat(champion.manifest.created or "1970-01-01T00:00:00+00:00")
        run_id = _log_release(client, model, champion, created, created)
        version = _register(client, model, champion, run_id)
    client.set_registered_model_alias(model, CHAMPION, version.version)


def _find_version(client: MlflowClient, model: str, release: Release) -> ModelVersion | None:
    """The version with this very release."""
    seal = _seal(release)
    versions = client.search_model_versions(f"name = '{model}'", max_results=10_000)
    return next((version for version in versions if version.tags.get("kensa.manifest") == seal), None)


def _seal(release: Release) -> str:
    """SHA-256 of the manifest: the name of exactly these files."""
    return file_digest(release.path / MANIFEST)


def _milliseconds(time: datetime.datetime) -> int:
    return int(time.timestamp() * 1000)
