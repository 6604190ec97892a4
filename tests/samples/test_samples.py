"""What an earlier Kensa wrote is opened, scored, exported, promoted, rolled back and reproduced: stored names stay.

tests/samples/README.md says how the samples were made. Weights and scores depend on the processor in their last
bits, so that distances are compared within a tolerance and a reproduction may be `equivalent`.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from flows.service.ledger import Ledger
from tasks.config.fingerprints import (
    cache_digest,
    fingerprint,
    model_digest,
    report_digest,
    sweep_digest,
    trial_digest,
    triplets_digest,
)
from tasks.config.overrides import apply_overrides
from tasks.config.run import RunConfig
from tasks.core.results import PinnedSource

ARCHIVE = Path(__file__).parent / "made-at-8cd46b7.tar.xz"
ON_THE_THRESHOLD = 6  # three records of 600 whose verdict the last bits of a score decide, each counted twice
RANK = 0.07  # two of 30 good calibration records: the score of rt is a sum of ranks, which last bits move by one
RETRAIN = ("retrain", "--train", "./parts", "--json")


def unpacked(place):
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(place.folder, filter="data")
    return place


@pytest.fixture
def old(place):
    """A place that holds the samples, as a user's folder does after an update of Kensa."""
    return unpacked(place)


@pytest.fixture
def old_served(served):
    """The same, with a Prefect server."""
    return unpacked(served)


def expected(place, name):
    """One of the files that the earlier Kensa printed."""
    return json.loads((place.folder / "expected" / name).read_text())


# What the presets `best` and `rt` were then; CHANGELOG.md says so, too.
BEFORE = ["tower.widths=24-32-64-128", "fit.learning_rate=0.002", "fit.steps=50", "fit.looks=30"]


def test_digests_of_the_same_run_stay(old):
    source = PinnedSource("acme/boards", "hub", "acme/boards", "a" * 40)
    for name, then in expected(old, "fingerprints.json").items():
        before = [] if "preset=notebook" in then["settings"] else BEFORE
        config = apply_overrides(RunConfig(), [*then["settings"], *before])
        triplets = triplets_digest("1" * 64, None, config)
        model = model_digest(triplets, config, "tensorflow")
        now = {
            "cache": cache_digest("a" * 40, config.data, False),
            "cache_held_out": cache_digest("a" * 40, config.data, True),
            "triplets": triplets,
            "model": model,
            "model_jax": model_digest(triplets, config, "jax"),
            "report": report_digest(model, config, None, [{"x": 1}, []]),
            "retrain": fingerprint(source, None, config),
            "sweep": sweep_digest(config, [{"fit.margin": "0.2"}], "auroc", [{"figures": {}}]),
        }
        assert now == {key: then[key] for key in now}, name
        # Trials were evaluated on the calibration part: a stage of those must not be taken for one of today's.
        assert trial_digest(triplets, config, "tensorflow") != then["trial"], name


def test_the_ledger_keeps_every_version(old):
    versions = Ledger(old.folder / "ledger").versions()
    assert [(v.line, v.revision[:1], v.state, v.tries, v.run) for v in versions] == [
        ("boards", "a", "done", 1, "run-1"),
        ("boards", "b", "failed", 1, "run-2"),
        ("nihon", "c", "skipped", 0, None),
        ("nihon", "d", "pending", 0, None),
        ("caps", "e", "running", 1, "run-3"),
    ]


def test_releases_and_drafts_are_listed(old):
    done = old.kensa("releases", "--json")
    assert done.told == expected(old, "releases.json")


@pytest.mark.parametrize(("artifacts", "version", "name"), [("artifacts", "v1", "v1"), ("artifacts-rt", "v1", "rt")])
def test_a_release_judges_as_it_did(old, artifacts, version, name):
    words = ("score", "./parts", "--artifacts", artifacts, "--release", version, "--out", "v.parquet", "--json")
    done = old.kensa(*words)
    then, now = expected(old, f"score-{name}.json"), done.told
    varying = dict.fromkeys(("path", "figures", "counts"))
    assert {**now, **varying} == {**then, **varying, **_new(now, then)}
    assert sum(abs(now["counts"][verdict] - count) for verdict, count in then["counts"].items()) <= ON_THE_THRESHOLD
    old_table = pq.read_table(old.folder / "expected" / f"verdicts-{name}.parquet")
    table = pq.read_table(old.folder / "v.parquet")
    assert set(old_table.column_names) <= set(table.column_names)
    for column in old_table.column_names:
        before, after = (t[column].to_numpy(zero_copy_only=False) for t in (old_table, table))
        if before.dtype.kind == "f":
            atol = RANK if name == "rt" and column in ("score", "margin") else 1e-5
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=atol)
        else:
            assert (after == before).mean() > 0.99  # a record on the threshold may fall to the other side


def _new(now, then):
    """Keys that a later Kensa has added."""
    return {key: value for key, value in now.items() if key not in then}


def test_promotion_and_rollback_move_the_pointer(old):
    assert old.champion() == "v2"
    assert old.kensa("rollback").code == 0
    assert old.champion() == "v1"
    assert old.kensa("promote", "v2").code == 0
    assert old.champion() == "v2"


def test_a_store_is_pulled(old):
    place = ("--data", "new/data", "--artifacts", "new/artifacts")
    done = old.kensa("store", "pull", f"file://{old.folder}/store", *place, "--json")
    assert (done.told["status"], done.told["champion"]) == ("pulled", "v2")
    listed = old.kensa("releases", "--artifacts", "new/artifacts", "--json").told["releases"]
    assert [line["version"] for line in listed] == ["v1", "v2"]


@pytest.mark.parametrize("words", [(), ("--set", "seed=43")], ids=["released", "rejected"])
def test_the_same_run_is_found_unchanged(old, words):
    done = old.kensa(*RETRAIN, *words)
    assert done.told["status"] == "unchanged"


@pytest.mark.slow
def test_stages_are_found_good(old_served):
    """Without the artifacts the run is judged and released again, on the stages as they lie there."""
    before = _stages(old_served)
    done = old_served.kensa(*RETRAIN, "--artifacts", "elsewhere")
    assert done.code == 0, done.err
    assert (done.told["status"], done.told["release"]) == ("released", "v1")
    assert _stages(old_served) == before


def _stages(place):
    """Every cache and stage with the time of its manifest."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (place.folder / "data").rglob("manifest.json")}


@pytest.mark.slow
def test_an_export_judges_as_the_release_does(old):
    done = old.kensa("export", "v1", "--format", "savedmodel", "--json")
    assert done.told["status"] == "exported"  # the parity gate has compared every verdict


@pytest.mark.slow
def test_a_release_is_reproduced(old_served):
    done = old_served.kensa("reproduce", "v1", "--json")
    assert done.told["verdict"] in ("equal", "equivalent")
