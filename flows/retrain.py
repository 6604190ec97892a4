"""The line: download → cache → triplets → train → evaluate → publish."""

from __future__ import annotations

import datetime
from typing import Any

from prefect import State, flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.folds import fold_results
from flows.prepare import PreparedData, Sources, pin_sources, prepare
from flows.service.forms import ensure_approvals
from flows.service.lines import FactoryConfig, read_lines
from flows.service.run_locks import guarded_run
from flows.trackers.finished_run import FinishedRun, send_finished
from flows.ui import notify
from flows.ui.artifacts import RunArtifacts, publish_lines
from flows.ui.candidate_texts import publish_candidate
from flows.ui.history_texts import publish_history
from flows.ui.journal_texts import publish_journal
from flows.ui.run_names import initial_retrain_name, rename_retraining
from flows.ui.states import lines_state, not_trained_state, retraining_state
from flows.ui.summary import log_summary
from tasks import steps
from tasks.config.fingerprints import fingerprint
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.errors import SomeLinesFailed, UnfitData
from tasks.core.facts import BankFacts
from tasks.core.results import Finding, PinnedSource, RetrainResult, Stage
from tasks.evaluation.least_sizes import require_least_sizes
from tasks.registry.candidates import waiting_candidate
from tasks.registry.champion import exclusive_run
from tasks.zero.parent import find_parent, with_parent


@flow(name="retrain", flow_run_name=initial_retrain_name, persist_result=False, on_failure=[notify.send_failure])
def retrain(
    line: str | None = None,
    revision: str | None = None,
    settings: list[str] | None = None,
    config: RunConfig = RunConfig(),
) -> State[RetrainResult | None]:
    """Retrain on the sources' present revisions and release the model if it passes the gate.

    With `line`, the configuration is that product line's in kensa.toml (`all`: each line in turn);
    with `revision` too, it is retrained on that revision once, whoever else asks for it.

    The forms in Prefect's UI show the parameters in this order; `config` has one of its own (flows/service/forms.py).

    Args:
        line: A product line of kensa.toml, or all: each in turn.
        revision: The line's new dataset version, a commit; older ones than its head are skipped.
        settings: Settings in place of those of kensa.toml, such as fit.epochs=30, as for `kensa retrain --set`.
        config: Every setting of a run without a line; what is None there is as the preset says.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        if line == "all":
            return _retrain_all_lines(settings)
        if line and revision:
            return _retrain_version(read_lines(), line, revision, settings)
        config = read_lines()[line].config if line else config
        return retraining_state(_retrain_once(apply_overrides(config, settings or [])))


def _retrain_all_lines(settings: list[str] | None) -> State[None]:
    """One run for each line; one that fails does not keep the others from running."""
    runs = {name: retrain(line=name, settings=settings, return_state=True) for name in read_lines().by_name}
    publish_lines(runs)
    failed = [name for name, state in runs.items() if not state.is_completed()]
    if failed:
        raise SomeLinesFailed(f"{', '.join(failed)} failed, {len(runs) - len(failed)} of {len(runs)} lines were done")
    return lines_state(runs)


def _retrain_version(
    lines: FactoryConfig, name: str, revision: str, settings: list[str] | None
) -> State[RetrainResult | None]:
    """Retrain a line on one revision, unless the ledger says that this was done or is no longer to be done.

    A run that is killed here keeps its claim, and continues under it when it is restarted.
    """
    line, ledger, run = lines[name], lines.ledger(), flow_run.get_id()
    config = apply_overrides(line.config_at(revision), settings or [])
    ledger.note(name, revision)
    ledger.head(name, steps.resolve(line.config.train, line.config.revision, line.config.data_path).revision)
    answer = ledger.claim(name, revision, run)
    if answer != "train":
        RunArtifacts.of(line.config).publish_not_trained(name, revision, answer)
        return not_trained_state(name, revision, answer)
    try:
        result = _retrain_once(config)
    except Exception:  # and no BaseException: that is somebody ending the process
        ledger.finish(name, revision, run, "failed")
        raise
    ledger.finish(name, revision, run, "done")
    return retraining_state(result)


def _retrain_once(config: RunConfig) -> RetrainResult:
    """Retrain, and tell other systems how it ended."""
    began, warn = datetime.datetime.now(datetime.UTC), get_run_logger().warning
    line, run = flow_run.parameters.get("line"), flow_run.get_id()
    pinned: list[PinnedSource] = []
    try:
        result = _retrain_pinned(config, line, pinned)
    except Exception as error:  # it goes on; and no BaseException: that is somebody ending the process
        send_finished(FinishedRun.failed(error, config.train, pinned, run, line, began), warn)
        raise
    if result.status != "unchanged":
        send_finished(FinishedRun.of(result, run, line, began), warn)
    return result


def _retrain_pinned(config: RunConfig, line: str | None, pinned: list[PinnedSource]) -> RetrainResult:
    """Pin the sources, and retrain unless an earlier run with the same fingerprint was completed; one run at a time.

    pinned: gets the sources.
    """
    sources = pin_sources(config)
    pinned += filter(None, (sources.train, sources.test))
    rename_retraining(sources.train, config)
    parent = find_parent(config)
    identity = fingerprint(sources.train, sources.test, config, parent and parent.manifest.fingerprint)
    with exclusive_run(config.artifacts_path):
        previous = steps.find_previous_result(config, identity, flow_run.get_id())
        result = previous or _run_line(sources, steps.champion(config), identity, config)
    RunArtifacts.of(config).publish_result(result)
    if result.status == "candidate":
        _ask_for_approval(config)
    publish_journal(config.artifacts_path, line, config.report.language)
    publish_history(config.artifacts_path, line, config.report.language)
    notify.send_result(result)
    log_summary(result, line, get_run_logger())
    return result


def _ask_for_approval(config: RunConfig) -> None:
    """Show what speaks for the candidate, in this run and in the form of `approve/on-demand`; nothing waits for it."""
    line, candidate = flow_run.parameters.get("line"), waiting_candidate(config.artifacts_path)
    if candidate is not None:
        publish_candidate(candidate, line, config.report.language)
        ensure_approvals()


def _run_line(sources: Sources, champion: Any, identity: str, config: RunConfig) -> RetrainResult:
    ui = RunArtifacts.of(config)
    data = prepare(sources, config)
    triplets = steps.triplets(data.train, data.test, config)
    ui.publish_split(triplets)
    sizes = _require_least_sizes(triplets, config, ui)
    changes = steps.changes(triplets, champion)
    ui.publish_changes(changes)
    config = with_parent(config, bool(triplets.facts.get("good_alone")))
    progress = ui.training_progress(config)
    model = steps.train(triplets, config, progress)
    progress.finish(model)
    facts = {**_facts(data, triplets), "changes": changes and changes.as_json()}
    folds = fold_results(triplets, config)
    report = steps.evaluate(triplets, model, config, champion, facts, (*data.findings, *sizes), folds)
    ui.publish_unseen_modes(report)
    stages = {"cache": data.train.stage, "triplets": triplets, "model": model, "report": report}
    version = champion and champion.version
    result = steps.publish(stages, config, version, identity, facts, flow_run.get_id(), data.train.standard)
    ui.publish_metrics(result)
    return result


def _require_least_sizes(triplets: Stage, config: RunConfig, ui: RunArtifacts) -> tuple[Finding, ...]:
    """The checks of the parts' sizes; the UI shows those that fail. Raises UnfitData."""
    try:
        return require_least_sizes(BankFacts.from_json(triplets.facts), config, config.train)
    except UnfitData as unfit:
        ui.publish_findings(config.train, unfit.findings)
        raise


def _facts(data: PreparedData, triplets: Stage) -> dict[str, Any]:
    """What the report and the manifest say about the data."""
    facts: dict[str, Any] = {
        name: {
            "source": cached.resolved.source,
            "kind": cached.resolved.kind,
            "revision": cached.resolved.revision,
            "source_kind": cached.facts.source_kind,
            "records": cached.facts.records,
            "modes": len(cached.facts.modes),
            **_each_source(cached.resolved),
        }
        for name, cached in (("train", data.train), ("test", data.test))
        if cached
    }
    facts["train"]["triplets"] = BankFacts.from_json(triplets.facts).triplets["triplets_train"]
    return {"test": None, **facts}


def _each_source(source: PinnedSource) -> dict[str, Any]:
    """Of several sources, each with its revision."""
    each = [{"source": part.source, "kind": part.kind, "revision": part.revision} for part in source.parts]
    return {"sources": each} if each else {}
