"""The head of every training flow: which revisions are pinned, and that the checks reach the UI in any case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flows import prepare as module
from flows.prepare import Sources, pin_sources, prepare
from tasks.config.engine import EngineConfig
from tasks.config.run import RunConfig
from tasks.core.errors import UnfitData
from tasks.core.results import Finding, PinnedSource

GOOD, BAD = Finding("finite values", True, True, ""), Finding("finite values", False, True, "3 rows")
TRAIN = PinnedSource("acme/boards", "hub", "", "a" * 40)
TEST = PinnedSource("acme/later", "hub", "", "b" * 40)
CONFIG = RunConfig(train="acme/boards", test="acme/later", revision="v1", engine=EngineConfig(dask="local:2"))


@pytest.fixture
def calls(monkeypatch):
    """What the steps were called with, and what the UI was given; a source named acme/unfit fails its checks."""
    calls = []

    def resolve(source, revision, folder):
        calls.append(("resolve", source, revision))
        return PinnedSource(source, "hub", "", "a" * 40)

    def cache(source, data, folder, held_out, dask):
        if source.source == "acme/unfit":
            raise UnfitData("not fit", (BAD,))
        calls.append(("cache", source.source, held_out, dask))
        return SimpleNamespace(findings=(GOOD,))

    steps = SimpleNamespace(resolve=resolve, download=lambda source: source, cache=cache)
    monkeypatch.setattr(module, "steps", steps)
    publish = lambda ui, source, findings: calls.append(("checks", source, findings))  # noqa: E731
    monkeypatch.setattr(module.RunArtifacts, "publish_findings", publish)
    return calls


def test_the_revision_pins_the_training_source_and_the_test_source_is_at_its_head(calls):
    sources = pin_sources(CONFIG)
    assert calls == [("resolve", "acme/boards", "v1"), ("resolve", "acme/later", None)]
    assert (sources.train.source, sources.test.source) == ("acme/boards", "acme/later")
    assert pin_sources(RunConfig(train="acme/boards")).test is None


def test_the_test_source_is_held_out_and_both_are_checked(calls):
    data = prepare(Sources(TRAIN, TEST), CONFIG)
    assert data.findings == (GOOD, GOOD)
    assert [call for call in calls if call[0] == "cache"] == [
        ("cache", "acme/boards", False, "local:2"),
        ("cache", "acme/later", True, "local:2"),
    ]
    assert [call[1] for call in calls if call[0] == "checks"] == ["acme/boards", "acme/later"]
    alone = prepare(Sources(TRAIN, None), CONFIG)
    assert (alone.test, alone.findings) == (None, (GOOD,))


def test_the_checks_that_stop_a_run_are_shown(calls):
    unfit = PinnedSource("acme/unfit", "hub", "", "c" * 40)
    with pytest.raises(UnfitData):
        prepare(Sources(unfit, None), CONFIG)
    assert calls == [("checks", "acme/unfit", (BAD,))]
