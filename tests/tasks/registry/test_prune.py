"""What may go, goes; what a release, a draft or a living run needs, stays."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from support import inspected_parts as parts

from kensa.cli.main import main
from tasks.core.errors import DamagedRelease
from tasks.core.stages import get_or_make_stage, scratch_folder, verified_manifest
from tasks.registry.champion import current_champion, promote
from tasks.registry.journal import read_journal
from tasks.registry.prune import find_removable, prune

OLD = time.time() - 30 * 24 * 3600


def aged(folder: Path, later: float = 0) -> None:
    """Make a folder and all below it a month old, less so many seconds."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (OLD + later, OLD + later))


def staged(data: Path, kind: str, digest: str) -> Path:
    """A stage folder of a few bytes, a month old."""

    def make(draft: Path) -> dict[str, str]:
        (draft / "a.bin").write_bytes(digest.encode() * 100)
        return {}

    (data / "stages").mkdir(parents=True, exist_ok=True)
    stage_folder = Path(get_or_make_stage(data / "stages", kind, digest, make).path)
    aged(stage_folder)
    return stage_folder


@pytest.fixture
def place(tmp_path):
    """v1, made of one stage; eight others, a damaged one and half a draft of a dead process."""
    data, artifacts = tmp_path / "data", tmp_path / "artifacts"
    named = staged(data, "model", "a" * 64)
    others = [staged(data, "model", f"{number}" * 64) for number in range(8)]
    for number, folder in enumerate(others):
        aged(folder, number + 1)
    parts.release(artifacts, "v1", stages={"model": "a" * 64})
    promote(artifacts, "v1")
    damaged = staged(data, "report", "b" * 64)
    damaged = damaged.rename(f"{damaged}.damaged")
    half = data / "stages" / ".model-0123abcd-4000000-x1y2z3"
    half.mkdir()
    aged(half)
    return data, artifacts, named, others, damaged, half


def test_a_dry_run_changes_nothing(place, capsys):
    data, artifacts, *_ = place
    before = sorted(path for path in data.rglob("*"))
    assert main(["prune", "--data", str(data), "--artifacts", str(artifacts), "--keep", "3", "--dry-run"]) == 0
    assert "would be freed, 7 folders and files" in capsys.readouterr().out
    assert sorted(path for path in data.rglob("*")) == before


def test_pieces_of_a_cache_that_was_never_finished_go(place):
    """Whatever their number: no run uses those of another run."""
    data, artifacts, *_ = place
    pieces = {staged(data, "piece", f"{number}" * 64) for number in range(3)}
    assert pieces <= {item.path for item in find_removable(data, artifacts, 3)}
    assert not pieces & {item.path for item in find_removable(data, artifacts, 3, days=31)}


def test_verdicts_go_only_where_that_is_asked_for_and_the_journal_says_so(place):
    data, artifacts, *_ = place
    old, new, served = (artifacts / "traces" / name for name in ("old.parquet", "new.parquet", "served/day/1.parquet"))
    for table in (old, new, served):
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_bytes(b"verdicts")
    for table in (old, served):
        os.utime(table, (OLD, OLD))
    prune(data, artifacts, 3)
    assert old.exists()
    assert [item.path for item in prune(data, artifacts, 3, traces=29)] == [old, served]
    assert [table.exists() for table in (old, new, served)] == [False, True, False]
    entry = read_journal(artifacts).entries[-1]
    assert (entry.event, entry.facts["paths"]) == ("pruned", ["traces/old.parquet", "traces/served/day/1.parquet"])


def test_what_nothing_needs_goes_and_what_a_release_names_stays(place, capsys):
    data, artifacts, named, others, damaged, half = place
    assert main(["prune", "--data", str(data), "--artifacts", str(artifacts), "--keep", "3", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert len(output["gone"]) == 7
    assert output["bytes"] >= 5 * 6400
    assert verified_manifest(named) is not None
    assert [path.exists() for path in others] == [False] * 5 + [True] * 3
    assert not damaged.exists()
    assert not half.exists()
    assert current_champion(artifacts).version == "v1"
    assert prune(data, artifacts, 3) == []


def test_what_was_fetched_long_ago_goes_too(tmp_path):
    for number in range(3):
        folder = staged(tmp_path / "data", "address", f"{number}" * 64)
        (tmp_path / "data" / "sources").mkdir(exist_ok=True)
        folder.rename(tmp_path / "data" / "sources" / folder.name)
    assert len(find_removable(tmp_path / "data", tmp_path / "artifacts", keep=1)) == 2


def test_what_is_young_stays(place):
    data, artifacts, _, others, *_ = place
    for folder in others:
        os.utime(folder / "manifest.json")
    assert not {item.path for item in find_removable(data, artifacts, keep=0)} & set(others)


def test_what_a_living_process_writes_stays(place):
    data, artifacts, *_ = place
    with scratch_folder(data / "stages", "model") as draft:
        prune(data, artifacts, 0)
        assert draft.exists()


def test_the_stages_of_every_line_below_are_kept(place):
    """Lines share the stages: those of one are no waste of the other."""
    data, artifacts, *_ = place
    others = staged(data, "model", "c" * 64)
    parts.release(artifacts / "boards", "v1", stages={"model": "c" * 64})
    promote(artifacts / "boards", "v1")
    prune(data, artifacts, 0)
    assert others.exists()


def test_where_the_pointer_is_lost_nothing_goes(place):
    data, artifacts, _, others, *_ = place
    (artifacts / "champion.json").write_text("{")
    with pytest.raises(DamagedRelease):
        prune(data, artifacts, 0)
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("words", [["--keep", "-1"], ["--older-than", "-1"], ["--runs", "0"], ["--keep", "many"]])
def test_numbers_out_of_bounds_are_refused(place, words, capsys):
    try:
        code = main(["prune", "--data", str(place[0]), "--artifacts", str(place[1]), *words])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1


def rejected(artifacts: Path, name: str, later: float, **stages: str) -> Path:
    """A rejected draft, a month old less so many seconds."""
    folder = parts.release(artifacts, name, stages=stages, created=f"2026-01-01T00:00:{later:02.0f}+00:00")
    (artifacts / "drafts").mkdir(exist_ok=True)
    folder = folder.rename(artifacts / "drafts" / f"d{name}")
    aged(folder, later)
    return folder


def test_no_run_and_no_promotion_goes_on_meanwhile(place, monkeypatch):
    data, artifacts, *_ = place
    locks = []

    def look(*_):
        for name in (".lock", ".run.lock"):
            with pytest.raises(Timeout):
                FileLock(artifacts / name, is_singleton=False).acquire(timeout=0)
            locks.append(name)
        return []

    monkeypatch.setattr("tasks.registry.prune.find_removable", look)
    prune(data, artifacts, 0)
    assert locks == [".lock", ".run.lock"]


def test_the_stages_of_a_rejected_draft_are_kept_with_it(place):
    data, artifacts, *_ = place
    stage = staged(data, "report", "d" * 64)
    rejected(artifacts, "v2", 1, report="d" * 64)
    assert stage not in {item.path for item in find_removable(data, artifacts, keep=0)}


def test_of_rejected_drafts_the_newest_stay_and_the_young(place):
    data, artifacts, *_ = place
    drafts = [rejected(artifacts, f"v{number}", number) for number in range(2, 7)]
    os.utime(drafts[1] / "manifest.json")
    removable = {item.path for item in find_removable(data, artifacts, keep=2)}
    assert [draft in removable for draft in drafts] == [True, False, True, False, False]


def test_a_file_with_another_name_frees_nothing(place):
    data, artifacts, _, others, *_ = place
    before = {item.path: item.size for item in find_removable(data, artifacts, keep=0)}[others[0]]
    os.link(others[0] / "a.bin", data / "also")
    aged(others[0], 1)
    assert {item.path: item.size for item in find_removable(data, artifacts, keep=0)}[others[0]] == before - 6400
