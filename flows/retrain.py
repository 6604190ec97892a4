"""The line: download → cache → triplets → train → evaluate → publish."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import board
from tasks import steps
from tasks.config import Retrain
from tasks.errors import UnfitData
from tasks.handover import Cached, Outcome, Resolved, Stage
from tasks.identity import fingerprint


@flow(name="retrain", flow_run_name=board.first_name, persist_result=False)
def retrain(config: Retrain) -> Outcome:
    """Retrain on the sources' present revisions and release the model if it passes the gate."""
    steps.log_known_errors_in_one_line()
    source = steps.resolve(config.train, config.revision, config)
    test_source = steps.resolve(config.test, None, config) if config.test else None
    board.name_run(source, config)
    identity = fingerprint(source, test_source, config)
    known = steps.concluded(config, identity)
    if known:
        board.verdict(known, config)
        return known
    champion = steps.champion(config)
    return _line(source, test_source, champion, identity, config)


def _line(source: Resolved, test_source: Resolved | None, champion: Any, identity: str, config: Retrain) -> Outcome:
    train_set = _cached(source, config)
    test_set = _cached(test_source, config, held_out=True) if test_source else None
    triplets = steps.triplets(train_set, test_set, config)
    board.data(triplets, config)
    model = steps.train(triplets, config, board.training(config))
    facts = _facts(train_set, test_set, triplets)
    findings = train_set.findings + (test_set.findings if test_set else ())
    report = steps.evaluate(triplets, model, config, champion, facts, findings)
    stages = {"cache": train_set.stage, "triplets": triplets, "model": model, "report": report}
    outcome = steps.publish(stages, config, champion and champion.version, identity, facts)
    board.figures(report, outcome, config)
    board.verdict(outcome, config)
    return outcome


def _cached(source: Resolved, config: Retrain, held_out: bool = False) -> Cached:
    """The source in Kensa's form; its checks reach the UI whether they pass or not."""
    downloaded = steps.download(source)
    try:
        cached = steps.cache(downloaded, config, held_out)
    except UnfitData as unfit:
        board.findings(source.source, unfit.findings, config)
        raise
    board.findings(source.source, cached.findings, config)
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
