"""The frozen test sets: one name for one content, for good, whoever brings it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import inspected_parts as parts

from tasks.core.errors import DamagedRelease, FrozenSetMoved
from tasks.data.bank import Bank
from tasks.data.split import PARTS
from tasks.publish import publish
from tasks.registry.frozen_sets import (
    comparison_number,
    count_comparison,
    digest_of_test,
    frozen_sets,
    identify_frozen_set,
    register_frozen_set,
)
from tasks.registry.manifest import SourceSummary
from tasks.registry.releases import rejected_drafts, releases

TEST = PARTS.index("test")
SOURCE = SourceSummary(source="acme/boards", revision="r1")


@pytest.fixture
def bank() -> Bank:
    return parts.banked(parts.inspected(modes=3, each=30))


def reordered(bank: Bank) -> Bank:
    turned = np.arange(len(bank.mode))[::-1]
    return replace(
        bank, **{name: getattr(bank, name)[turned] for name in ("maps", "mode", "good", "part", "hash", "group")}
    )


def changed(bank: Bank, name: str, value: Any, part: int = TEST) -> Bank:
    """The bank with one record of a part changed."""
    values = getattr(bank, name).copy()
    values[np.flatnonzero(bank.part == part)[0]] = value
    return replace(bank, **{name: values})


def register(
    artifacts: Path, bank: Bank, source: SourceSummary = SourceSummary(source="acme/boards", revision="r1")
) -> str:
    artifacts.mkdir(exist_ok=True)
    frozen = identify_frozen_set(bank, artifacts)
    register_frozen_set(artifacts, frozen, source, "2026-01-02T03:04:05+00:00")
    return frozen.version


def test_the_digest_by_hand():
    """Two test records, of three: sorted by hash, in canonical JSON."""
    bank = Bank(
        maps=np.zeros((3, 2)),
        anchors=np.zeros((2, 2)),
        mode=np.array([1, 0, 0]),
        good=np.array([False, True, True]),
        part=np.array([TEST, TEST, 0]),
        hash=np.array(["bb", "aa", "cc"], "S32"),
        group=np.array(["", "", ""]),
        modes=["0", "dent"],
        triplets={},
    )
    text = '["frozen",[["aa","0",true],["bb","dent",false]]]'
    assert digest_of_test(bank) == hashlib.sha256(text.encode()).hexdigest()


def test_the_same_records_are_the_same_set_in_any_order(bank):
    assert digest_of_test(reordered(bank)) == digest_of_test(bank)
    names = ["two", "one", "zero"]
    named = replace(bank, modes=names[::-1])
    assert digest_of_test(replace(named, mode=2 - bank.mode, modes=names)) == digest_of_test(named)


def test_only_test_records_count(bank):
    assert digest_of_test(changed(bank, "hash", b"f" * 32, part=0)) == digest_of_test(bank)
    assert digest_of_test(changed(bank, "good", np.bool_(False), part=0)) == digest_of_test(bank)


@pytest.mark.parametrize("name", ["hash", "mode", "good", "part"])
def test_a_record_added_removed_or_relabelled_makes_another_set(bank, name):
    first = bank.rows("test")[0]
    value = {"hash": b"f" * 32, "mode": (bank.mode[first] + 1) % 3, "good": not bank.good[first], "part": 0}[name]
    assert digest_of_test(changed(bank, name, value)) != digest_of_test(bank)
    assert digest_of_test(replace(bank, modes=["0", "1", "renamed"])) != digest_of_test(bank)


def test_names_follow_each_other_and_an_old_set_keeps_its_own(tmp_path, bank):
    other = changed(bank, "hash", b"f" * 32)
    assert [register(tmp_path, entry) for entry in (bank, bank, other, bank, other)] == ["f1", "f1", "f2", "f1", "f2"]
    found = frozen_sets(tmp_path)
    assert list(found) == ["f1", "f2"]
    assert found["f1"] == {
        "digest": digest_of_test(bank),
        "records": len(bank.rows("test")),
        "modes": 3,
        "source": "acme/boards",
        "revision": "r1",
        "created": "2026-01-02T03:04:05+00:00",
    }
    for number in range(3, 12):
        assert register(tmp_path, changed(bank, "hash", bytes([number]) * 8)) == f"f{number}"
    assert list(frozen_sets(tmp_path))[-2:] == ["f10", "f11"], "by number, not by letter"


def test_it_names_the_revision_that_the_test_records_come_from(tmp_path, bank):
    register(tmp_path, bank, SourceSummary(source="acme/later", revision="r9"))
    found = frozen_sets(tmp_path)["f1"]
    assert (found["source"], found["revision"]) == ("acme/later", "r9")


def test_a_name_that_another_run_took_is_refused(tmp_path, bank):
    frozen = identify_frozen_set(bank, tmp_path)
    register(tmp_path, changed(bank, "hash", b"f" * 32))
    before = (tmp_path / "frozen.json").read_text()
    with pytest.raises(FrozenSetMoved, match="f1 to its own test set; run again"):
        register_frozen_set(tmp_path, frozen, SourceSummary(source="acme/boards", revision="r1"), "")
    assert (tmp_path / "frozen.json").read_text() == before


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"f1": {}}', '{"first": {"digest": "d"}}', '{"f1": 1}'])
def test_a_file_that_cannot_be_read_stops_the_run(tmp_path, bank, text):
    """To name the sets anew would make a set of today one of before."""
    (tmp_path / "frozen.json").write_text(text)
    with pytest.raises(DamagedRelease, match=r"frozen\.json: expected JSON"):
        identify_frozen_set(bank, tmp_path)


def test_release_draft_and_card_name_the_set(tmp_path):
    def published(champion: str | None, print_: str, *reasons: str) -> Any:
        return publish(parts.judged(tmp_path, reasons), parts.configured(tmp_path), champion, print_, parts.FACTS)

    released, rejected = published(None, "a" * 64), published("v1", "b" * 64, "too weak")
    for outcome in (released, rejected):
        assert outcome.as_json()["frozen"] == {"version": "f1", "digest": "d" * 64, "records": 40, "modes": 3}
        assert "(frozen set f1, `dddddddddddd`)" in (Path(outcome.path) / "README.md").read_text()
    artifacts = tmp_path / "artifacts"
    assert [entry.manifest.frozen.version for entry in (*releases(artifacts), *rejected_drafts(artifacts))] == [
        "f1",
        "f1",
    ]
    found = json.loads((artifacts / "frozen.json").read_text())
    assert (list(found), found["f1"]["revision"]) == (["f1", "seal"], "0123abc")
    assert found["f1"]["created"] == releases(artifacts)[0].manifest.created


def test_a_set_that_moved_stops_the_release_before_anything_is_placed(tmp_path):
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    (artifacts / "frozen.json").write_text(json.dumps({"f1": {"digest": "of another run"}}))
    with pytest.raises(FrozenSetMoved):
        publish(parts.judged(tmp_path), parts.configured(tmp_path), None, "a" * 64, parts.FACTS)
    assert releases(artifacts) == rejected_drafts(artifacts) == []


def test_comparisons_with_a_champion_are_counted_over_all_sets(tmp_path, bank):
    """A model that is compared again, such as after a crash, keeps its number; another champion starts anew."""
    first, second = (register(tmp_path, changed(bank, "good", good)) for good in (True, False))
    assert comparison_number(tmp_path, "v1", "a" * 64) == 1
    for name, frozen in (("a", first), ("a", first), ("b", second), ("a", second)):
        count_comparison(tmp_path, frozen, "v1", name * 64)
    assert [comparison_number(tmp_path, "v1", name * 64) for name in "abc"] == [2, 2, 3]
    assert comparison_number(tmp_path, "v2", "c" * 64) == 1
    stored = json.loads((tmp_path / "frozen.json").read_text())
    assert stored[second]["comparisons"] == {"v1": ["b" * 16, "a" * 16]}
    assert frozen_sets(tmp_path)[first]["digest"], "the checksum holds"


def test_a_set_of_an_earlier_version_has_no_comparisons(tmp_path, bank):
    version = register(tmp_path, bank)
    assert "comparisons" not in json.loads((tmp_path / "frozen.json").read_text())[version]
    assert comparison_number(tmp_path, "v1", "a") == 1
