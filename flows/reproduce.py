"""Makes a release again from its manifest, and publishes nothing: download → cache → triplets → train → evaluate."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from prefect import State, flow

from flows.prepare import Sources, prepare
from flows.service.run_locks import guarded_run
from flows.ui.artifacts import RunArtifacts
from flows.ui.states import reproduction_state
from tasks import steps
from tasks.config.run import RunConfig
from tasks.core.errors import UnknownRevision, UnknownSource
from tasks.core.files import ensure_writable
from tasks.core.results import PinnedSource, ReproduceResult
from tasks.core.stages import scratch_folder
from tasks.registry.reproduction import (
    ReproductionTarget,
    compare_with_release,
    find_target,
    require_same_source,
    source_missing,
    target_config,
)
from tasks.zero.parent import with_parent


@flow(name="reproduce", flow_run_name="reproduce {version}", persist_result=False)
def reproduce(version: str, artifacts: str = "artifacts", data: str | None = None) -> State[ReproduceResult]:
    """Train a release again from its pinned sources, settings and seed, and compare weights and figures.

    Args:
        version: A release such as v3.
        artifacts: The folder of the releases, in which nothing is changed.
        data: A folder whose caches and triplets may be used; without it, they too are made anew.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        target = find_target(Path(artifacts), version)
        folder = ensure_writable(Path(data or tempfile.gettempdir()))
        with scratch_folder(folder, "reproduce") as scratch:
            config = target_config(target, folder if data else scratch)
            return reproduction_state(_rerun(target, replace(config, artifacts_folder=artifacts), scratch))


def _rerun(target: ReproductionTarget, config: RunConfig, scratch: Path) -> ReproduceResult:
    """The line without its end; the model and its judgement are always made anew, in `scratch`."""
    pinned = {name: _pinned(target, name, config) for name in target.sources}
    data = prepare(Sources(pinned["train"], pinned.get("test")), config)
    triplets = steps.triplets(data.train, data.test, config)
    config = with_parent(replace(config, data_folder=str(scratch)), bool(triplets.facts.get("good_alone")))
    progress = RunArtifacts.of(config).training_progress(config)
    model = steps.train(triplets, config, progress)
    progress.finish(model)
    sources = {name: source.as_json() for name, source in target.sources.items()}
    facts = {"test": None, **sources, "changes": target.trained_release.manifest.changes}
    report = steps.evaluate(triplets, model, config, None, facts, data.findings)
    stages = {"cache": data.train.stage, "triplets": triplets, "model": model, "report": report}
    return compare_with_release(target, stages, steps.git_commit())


def _pinned(target: ReproductionTarget, name: str, config: RunConfig) -> PinnedSource:
    """The source at the release's revision; SourceChanged where it is gone or another by now."""
    source = target.sources[name]
    try:
        resolved = steps.resolve(source.pinned, None, config.data_path)
    except (UnknownSource, UnknownRevision) as error:
        raise source_missing(target, name, str(error)) from None
    return require_same_source(target, name, resolved)
