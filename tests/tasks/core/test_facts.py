"""Facts of stages come back from their manifests, whose keys are a promise."""

from __future__ import annotations

import json

from tasks.core.facts import BankFacts, CacheFacts
from tasks.core.results import Finding

PARTS = {"train": 5, "stop": 1, "calibrate": 2, "test": 2}
BANK = BankFacts(
    size=(4, 5),
    split_by="group",
    records=PARTS,
    modes={"0": PARTS},
    good=PARTS,
    groups=dict.fromkeys(PARTS, 1),
    dropped={"dropped_contradictory": 1, "test_in_train": 2},
    triplets={"triplets_brought": 0, "triplets_train": 9},
    brought_anchors={"count": 3, "median_difference": 0.1, "largest": 0.2},
)


def through_a_manifest(facts):
    """The facts as a sealed manifest holds them, among its other keys."""
    return json.loads(json.dumps({**facts.as_json(), "files": {}, "digest": "d", "seal": "s"}))


def test_facts_of_a_cache_come_back():
    facts = CacheFacts("wide records", 9, 8, {"0": 8}, {"0": 8}, ["lot"], (Finding("maps vary", True, False, "all"),))
    manifest = through_a_manifest(facts)
    assert CacheFacts.from_json(manifest) == facts
    keys = {"source_kind", "rows", "records", "modes", "labels", "groups", "findings"}
    assert keys <= set(manifest)


def test_facts_of_a_bank_come_back():
    manifest = through_a_manifest(BANK)
    assert BankFacts.from_json(manifest) == BANK
    assert (manifest["values"], manifest["size"]) == (20, [4, 5])
    assert {"dropped_contradictory", "test_in_train", "triplets_brought", "split_by", "brought_anchors"} <= set(
        manifest
    )


def test_a_source_without_anchors_has_no_key_for_them():
    manifest = through_a_manifest(BANK)
    del manifest["brought_anchors"]
    assert "brought_anchors" not in BankFacts.from_json(manifest).as_json()
