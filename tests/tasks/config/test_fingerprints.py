"""Each digest changes with what its stage reads and with nothing else; tests/samples holds their values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.config.fingerprints import (
    cache_digest,
    fingerprint,
    fold_digest,
    fold_metrics_digest,
    model_digest,
    report_digest,
    sweep_digest,
    trial_digest,
    triplets_digest,
)
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.results import Fold, PinnedSource

SOURCE = PinnedSource("acme/boards", "hub", "acme/boards", "a" * 40)
DIGESTS = {
    "cache": lambda run: cache_digest("a" * 40, run.data, False),
    "triplets": lambda run: triplets_digest("cache", None, run),
    "fold": lambda run: fold_digest("triplets", Fold("without", "3"), run),
    "model": lambda run: model_digest("triplets", run, "jax"),
    "trial": lambda run: trial_digest("triplets", run, "jax"),
    "fold metrics": lambda run: fold_metrics_digest("fold", "model", run),
    "report": lambda run: report_digest("model", run, None, None),
    "sweep": lambda run: sweep_digest(run, [], "auroc", []),
    "retrain": lambda run: fingerprint(SOURCE, None, run),
}


@pytest.mark.parametrize(
    ("word", "changed"),
    [
        ("data.good=1", {"cache", "triplets", "report", "sweep", "retrain"}),
        ("data.rows=35", {"cache", "model", "trial", "report", "sweep", "retrain"}),
        ("data.most_records=7", set()),
        ("split.fixed=true", {"triplets", "sweep", "retrain"}),
        ("split.fixed=false", set()),  # as by default
        (
            "split.replay=notebook",
            {"sweep", "retrain"},
        ),  # beside the split
        ("split.replay=none", set()),  # as by default
        ("split.test=0.2", {"triplets", "sweep", "retrain"}),
        ("triplets.per_record=3", {"triplets", "fold", "sweep", "retrain"}),
        ("fit.margin=0.5", {"model", "trial", "sweep", "retrain"}),
        ("fit.margin=0.4", set()),  # as in the preset
        ("evaluate.bootstrap=200", {"fold metrics", "report", "sweep", "retrain"}),
        ("evaluate.dask=tcp://10.0.0.5:8786", set()),
        ("engine.dask=local:2", set()),
        ("gate.figure=mode_accuracy", {"report", "sweep", "retrain"}),
        ("gate.escape_margin=0.1", {"report", "sweep", "retrain"}),
        ("gate.escape_margin=0.05", set()),  # as by default
        ("cost.prevalence=0.1", {"report"}),
        ("report.language=ja", {"report"}),
        ("seed=7", set(DIGESTS) - {"cache"}),
    ],
)
def test_a_setting_changes_the_digests_of_the_stages_that_read_it(word, changed):
    run = RunConfig(preset="notebook" if "replay" in word else "best")
    plain, other = run, apply_overrides(run, [word])
    assert {name for name, digest in DIGESTS.items() if digest(plain) != digest(other)} == changed


def test_a_digest_depends_on_the_input_of_its_stage():
    run = RunConfig()
    assert cache_digest("a", run.data, False) != cache_digest("b", run.data, False)
    assert cache_digest("a", run.data, False) != cache_digest("a", run.data, True)
    assert triplets_digest("a", None, run) != triplets_digest("a", "b", run)
    assert model_digest("a", run, "jax") != model_digest("a", run, "tensorflow")
    assert fold_digest("a", Fold("without", "1"), run) != fold_digest("a", Fold("permuted", "1"), run)
    assert report_digest("a", run, None, None) != report_digest("a", run, "v1", None)
    assert sweep_digest(run, [], "auroc", []) != sweep_digest(run, [], "mode_accuracy", [])
    assert fingerprint(SOURCE, None, run) != fingerprint(SOURCE, SOURCE, run)
    assert len({fingerprint(SOURCE, None, run, parent) for parent in (None, "a", "b")}) == 3


def test_what_is_read_of_a_source_names_the_run_and_a_whole_source_is_named_as_ever():
    config = RunConfig()
    path, choice = replace(SOURCE, path="front/*.csv"), replace(SOURCE, choice="#part=x")
    assert len({fingerprint(source, None, config) for source in (SOURCE, path, choice)}) == 3
    assert (SOURCE.identity, path.identity) == ("a" * 40, f"{'a' * 40} front/*.csv")
