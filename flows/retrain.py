"""The line: download → cache → triplets → train → evaluate → publish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.folds import figures_of_folds
from flows.service.lines import Lines, read_lines
from flows.service.run_guard import living
from flows.ui import artifacts, notify
from tasks import steps
from tasks.config.fingerprints import fingerprint
from tasks.config.run import Retrain
from tasks.core.errors import SomeLinesFailed, UnfitData
from tasks.core.results import Cached, Outcome, Resolved, Stage
from tasks.registry.champion import alone


@flow(name="retrain", flow_run_name=artifacts.first_name, persist_result=False, on_failure=[notify.failed])
def retrain(line: str | None = None, revision: str | None = None, config: Retrain = Retrain()) -> Outcome | None:
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
    with living():
        if line == "all":
            return _every_line()
        if line and revision:
            return _version(read_lines(), line, revision)
        return _retrained(read_lines()[line].config if line else config)


def _every_line() -> None:
    """One run for each line; one that fails does not keep the others from running."""
    runs = {name: retrain(line=name, return_state=True) for name in read_lines().by_name}
    failed = [name for name, state in runs.items() if not state.is_completed()]
    if failed:
        raise SomeLinesFailed(f"{', '.join(failed)} failed, {len(runs) - len(failed)} of {len(runs)} lines were done")


def _version(lines: Lines, name: str, revision: str) -> Outcome | None:
    """Retrain a line on one revision, unless the ledger says that this is not, or no longer, to be done.

    A run that is killed here keeps its claim, and goes on with it when it is taken up again.
    """
    line, ledger, run = lines[name], lines.ledger(), flow_run.get_id()
    ledger.note(name, revision)
    ledger.head(name, steps.resolve(line.config.train, line.config.revision, line.config).revision)
    answer = ledger.claim(name, revision, run)
    if answer != "train":
        artifacts.not_trained(line, revision, answer)
        return None
    try:
        outcome = _retrained(replace(line.config, train=line.dataset, revision=revision))
    except Exception:  # and no BaseException: that is somebody ending the process
        ledger.finish(name, revision, run, "failed")
        raise
    ledger.finish(name, revision, run, "done")
    return outcome


def _retrained(config: Retrain) -> Outcome:
    """Pin the sources, and walk the line unless the same was concluded before, by one run at a time."""
    source = steps.resolve(config.train, config.revision, config)
    test_source = steps.resolve(config.test, None, config) if config.test else None
    artifacts.name_run(source, config)
    identity = fingerprint(source, test_source, config)
    with alone(Path(config.artifacts_folder)):
        known = steps.concluded(config, identity)
        outcome = known or _line(source, test_source, steps.champion(config), identity, config)
    artifacts.verdict(outcome, config)
    notify.ended(outcome)
    return outcome


def _line(source: Resolved, test_source: Resolved | None, champion: Any, identity: str, config: Retrain) -> Outcome:
    train_set = cached(source, config)
    test_set = cached(test_source, config, held_out=True) if test_source else None
    triplets = steps.triplets(train_set, test_set, config)
    artifacts.data(triplets, config)
    changed = steps.changes(triplets, champion)
    artifacts.changes(changed, config)
    progress = artifacts.Training(config)
    model = steps.train(triplets, config, progress)
    progress.ended(model)
    facts = {**_facts(train_set, test_set, triplets), "changes": changed}
    findings = train_set.findings + (test_set.findings if test_set else ())
    folds = figures_of_folds(triplets, config)
    report = steps.evaluate(triplets, model, config, champion, facts, findings, folds)
    artifacts.unseen(report, config)
    stages = {"cache": train_set.stage, "triplets": triplets, "model": model, "report": report}
    outcome = steps.publish(stages, config, champion and champion.version, identity, facts)
    artifacts.figures(report, outcome, config)
    return outcome


def cached(source: Resolved, config: Retrain, held_out: bool = False) -> Cached:
    """The source in Kensa's form; its checks reach the UI whether they pass or not."""
    downloaded = steps.download(source)
    try:
        cached = steps.cache(downloaded, config, held_out)
    except UnfitData as unfit:
        artifacts.findings(source.source, unfit.findings, config)
        raise
    artifacts.findings(source.source, cached.findings, config)
    return cached


def _facts(train_set: Cached, test_set: Cached | None, triplets: Stage) -> dict[str, Any]:
    """What the report and the manifest say of the data."""
    told = {
        name: {
            "source": cached.resolved.source,
            "kind": cached.resolved.kind,
            "revision": cached.resolved.revision,
            "source_kind": cached.stage.facts["source_kind"],
            "records": cached.stage.facts["records"],
            "modes": len(cached.stage.facts["modes"]),
        }
        for name, cached in (("train", train_set), ("test", test_set))
        if cached
    }
    told["train"]["triplets"] = triplets.facts["triplets_train"]
    return {"test": None, **told}
