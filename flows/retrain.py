"""The line: download → cache → triplets → train → evaluate → publish."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.folds import fold_results
from flows.service.lines import FactoryConfig, read_lines
from flows.service.run_guard import guarded_run
from flows.ui import artifacts, notify
from tasks import steps
from tasks.config.fingerprints import fingerprint
from tasks.config.run import RunConfig
from tasks.core.errors import SomeLinesFailed, UnfitData
from tasks.core.facts import BankFacts
from tasks.core.results import CachedSource, PinnedSource, RetrainResult, Stage
from tasks.registry.champion import exclusive_run


@flow(name="retrain", flow_run_name=artifacts.first_name, persist_result=False, on_failure=[notify.failed])
def retrain(
    line: str | None = None, revision: str | None = None, config: RunConfig = RunConfig()
) -> RetrainResult | None:
    """Retrain on the sources' present revisions and release the model if it passes the gate.

    With `line`, the configuration is that product line's in kensa.toml (`all`: each line in turn);
    with `revision` too, it is retrained on that revision once, whoever else asks for it.

    The form in Prefect's UI shows the parameters in this order: `config` is the longest, and comes last.

    Args:
        line: A product line of kensa.toml, or all: each in turn; without it, the configuration below is retrained.
        revision: The line's new dataset version, a commit; older ones than its head are skipped.
        config: Every setting of a run without a line; what is None there is as the preset says.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        if line == "all":
            return _retrain_all_lines()
        if line and revision:
            return _retrain_version(read_lines(), line, revision)
        return _retrain_once(read_lines()[line].config if line else config)


def _retrain_all_lines() -> None:
    """One run for each line; one that fails does not keep the others from running."""
    runs = {name: retrain(line=name, return_state=True) for name in read_lines().by_name}
    failed = [name for name, state in runs.items() if not state.is_completed()]
    if failed:
        raise SomeLinesFailed(f"{', '.join(failed)} failed, {len(runs) - len(failed)} of {len(runs)} lines were done")


def _retrain_version(lines: FactoryConfig, name: str, revision: str) -> RetrainResult | None:
    """Retrain a line on one revision, unless the ledger says that this is not, or no longer, to be done.

    A run that is killed here keeps its claim, and goes on with it when it is taken up again.
    """
    line, ledger, run = lines[name], lines.ledger(), flow_run.get_id()
    ledger.note(name, revision)
    ledger.head(name, steps.resolve(line.config.train, line.config.revision, line.config.data_path).revision)
    answer = ledger.claim(name, revision, run)
    if answer != "train":
        artifacts.not_trained(line, revision, answer)
        return None
    try:
        outcome = _retrain_once(replace(line.config, train=line.dataset, revision=revision))
    except Exception:  # and no BaseException: that is somebody ending the process
        ledger.finish(name, revision, run, "failed")
        raise
    ledger.finish(name, revision, run, "done")
    return outcome


def _retrain_once(config: RunConfig) -> RetrainResult:
    """Pin the sources, and walk the line unless the same was concluded before, by one run at a time."""
    source = steps.resolve(config.train, config.revision, config.data_path)
    test_source = steps.resolve(config.test, None, config.data_path) if config.test else None
    artifacts.name_run(source, config)
    identity = fingerprint(source, test_source, config)
    with exclusive_run(config.artifacts_path):
        known = steps.find_previous_result(config, identity)
        outcome = known or _run_line(source, test_source, steps.champion(config), identity, config)
    artifacts.verdict(outcome, config)
    notify.ended(outcome)
    return outcome


def _run_line(
    source: PinnedSource, test_source: PinnedSource | None, champion: Any, identity: str, config: RunConfig
) -> RetrainResult:
    train_set = cached(source, config)
    test_set = cached(test_source, config, held_out=True) if test_source else None
    triplets = steps.triplets(train_set, test_set, config)
    artifacts.data(triplets, config)
    changed = steps.changes(triplets, champion)
    artifacts.changes(changed, config)
    progress = artifacts.TrainingProgress(config)
    model = steps.train(triplets, config, progress)
    progress.ended(model)
    facts = {**_facts(train_set, test_set, triplets), "changes": changed and changed.as_json()}
    findings = train_set.findings + (test_set.findings if test_set else ())
    folds = fold_results(triplets, config)
    report = steps.evaluate(triplets, model, config, champion, facts, findings, folds)
    artifacts.unseen(report, config)
    stages = {"cache": train_set.stage, "triplets": triplets, "model": model, "report": report}
    outcome = steps.publish(stages, config, champion and champion.version, identity, facts)
    artifacts.figures(report, outcome, config)
    return outcome


def cached(source: PinnedSource, config: RunConfig, held_out: bool = False) -> CachedSource:
    """The source in Kensa's form; its checks reach the UI whether they pass or not."""
    downloaded = steps.download(source)
    try:
        cached = steps.cache(downloaded, config.data, config.data_path, held_out)
    except UnfitData as unfit:
        artifacts.findings(source.source, unfit.findings, config)
        raise
    artifacts.findings(source.source, cached.findings, config)
    return cached


def _facts(train_set: CachedSource, test_set: CachedSource | None, triplets: Stage) -> dict[str, Any]:
    """What the report and the manifest say of the data."""
    told = {
        name: {
            "source": cached.resolved.source,
            "kind": cached.resolved.kind,
            "revision": cached.resolved.revision,
            "source_kind": cached.facts.source_kind,
            "records": cached.facts.records,
            "modes": len(cached.facts.modes),
        }
        for name, cached in (("train", train_set), ("test", test_set))
        if cached
    }
    told["train"]["triplets"] = BankFacts.from_json(triplets.facts).triplets["triplets_train"]
    return {"test": None, **told}
