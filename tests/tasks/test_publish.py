"""From judged model to release: all or nothing, numbered under a lock, finished by the next run if this one dies."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.photographs import small_standard
from support.project import ROOT

from tasks.core.errors import ChampionMoved, DamagedRelease, SourceUnreachable, UnusableFolder
from tasks.core.files import file_digest
from tasks.core.results import RetrainResult
from tasks.core.stages import MANIFEST, verified_manifest
from tasks.publish import commit_was_read_otherwise, find_previous_result, git_commit, publish
from tasks.registry.champion import ChampionState, champion_state, promote, rollback
from tasks.registry.journal import HEAD_FILE, JOURNAL_FILE
from tasks.registry.release_files import EVALUATION_FILES
from tasks.registry.releases import rejected_drafts, releases

RIVAL = """
import sys
from pathlib import Path
from support import inspected_parts as parts
from tasks.core.errors import ChampionMoved
from tasks.publish import publish
from tasks.registry.champion import ChampionState, champion_state
folder, name = Path(sys.argv[1]), sys.argv[2]
stages, config = parts.judged(folder / name), parts.configured(folder)
print("ready", flush=True)
sys.stdin.readline()
moved = 0
while True:
    try:
        made = publish(stages, config, champion_state(folder / "artifacts").champion, name * 16, parts.FACTS)
        break
    except ChampionMoved:
        moved += 1
print(made.release, moved)
"""


def published(
    folder: Path, champion: str | None = None, print_: str = "a" * 64, reasons: tuple[str, ...] = ()
) -> RetrainResult:
    return publish(parts.judged(folder, reasons), parts.configured(folder), champion, print_, parts.FACTS)


def left(folder: Path) -> set[str]:
    """What lies in the artifacts folder and its two shelves, but for the lock and the journal."""
    artifacts = folder / "artifacts"
    paths = [*artifacts.iterdir(), *artifacts.glob("releases/*"), *artifacts.glob("drafts/*")]
    return {path.relative_to(artifacts).as_posix() for path in paths} - {".lock", JOURNAL_FILE, HEAD_FILE}


def test_a_release_is_complete_sealed_and_champion(tmp_path):
    result = published(tmp_path)
    assert (result.status, result.release, result.champion, result.reasons) == ("released", "v1", "v1", ())
    assert left(tmp_path) == {"champion.json", "frozen.json", "releases", "releases/v1"}
    folder = Path(result.path)
    manifest = json.loads((folder / MANIFEST).read_text())
    names = {"model.keras", "README.md", "tower.svg", "sbom.json", *EVALUATION_FILES}
    assert {path.name for path in folder.iterdir()} == names | {MANIFEST}
    assert manifest["files"] == {name: file_digest(folder / name) for name in names}
    assert (manifest["version"], manifest["status"], manifest["compared_with"]) == ("v1", "released", None)
    assert manifest["train"] == parts.FACTS["train"]
    assert manifest["config"]["fit"]["margin"] == 0.4  # resolved, not None
    assert manifest["config"]["seed"] == 42
    assert set(manifest["stages"]) == {"cache", "triplets", "model", "report"}
    assert manifest["weights"] == "w" * 64
    assert manifest["git_commit"] == git_commit()
    assert {"keras", "numpy", "prefect", "python"} <= set(manifest["packages"])
    assert result.metrics == manifest["metrics"]
    assert result.metrics["auroc"] == 0.9
    assert "\n- status: **released**" in (folder / "README.md").read_text()
    assert "](tower.svg)" in (folder / "README.md").read_text()
    assert "<!-- 168 parameters in all -->" in (folder / "tower.svg").read_text()


def test_the_standard_of_the_training_source_is_in_the_release(tmp_path):
    standard = small_standard(tmp_path / "source", parts.ROWS, parts.COLS) / "standard.npz"
    stages, config = parts.judged(tmp_path), parts.configured(tmp_path)
    result = publish(stages, config, None, "a" * 64, parts.FACTS, standard=str(standard))
    assert (Path(result.path) / "standard.npz").read_bytes() == standard.read_bytes()
    assert json.loads((Path(result.path) / MANIFEST).read_text())["files"]["standard.npz"] == file_digest(standard)


def test_a_report_without_layers_gives_no_picture(tmp_path):
    """As a stage has it that an earlier version made."""
    stages = parts.judged(tmp_path)
    path = Path(stages["report"].path) / "report.json"
    report = json.loads(path.read_text())
    del report["model"]["layers"]
    path.write_text(json.dumps(report))
    result = publish(stages, parts.configured(tmp_path), None, "a" * 64, parts.FACTS)
    assert not (Path(result.path) / "tower.svg").exists()
    assert "tower.svg" not in (Path(result.path) / "README.md").read_text()


@pytest.mark.slow
def test_the_json_of_an_outcome(tmp_path):
    told = json.loads(json.dumps(published(tmp_path).as_json(), allow_nan=False))
    names = ("status", "release", "path", "train", "test", "metrics", "champion", "reasons", "frozen", "comparison")
    assert set(told) == set(names)


def test_a_rejected_draft_is_kept_with_its_reasons(tmp_path):
    result = published(tmp_path, reasons=("too weak", "no threshold"))
    assert (result.status, result.release, result.champion) == ("rejected", None, None)
    assert result.reasons == ("too weak", "no threshold")
    assert left(tmp_path) == {"frozen.json", "drafts", "drafts/" + "a" * 16}
    (draft,) = rejected_drafts(tmp_path / "artifacts")
    assert verified_manifest(draft.path)["reasons"] == ["too weak", "no threshold"]
    assert "\n- too weak\n- no threshold\n" in (draft.path / "README.md").read_text()


@pytest.mark.slow
def test_versions_follow_each_other(tmp_path):
    for number, champion in enumerate((None, "v1", "v2"), start=1):
        result = published(tmp_path, champion, f"{number}" * 64)
        assert (result.release, result.champion) == (f"v{number}", f"v{number}")
    assert champion_state(tmp_path / "artifacts").history == ("v1", "v2", "v3")


def test_a_champion_that_moved_meanwhile_stops_the_release(tmp_path):
    published(tmp_path)
    for stale in (None, "v7"):
        with pytest.raises(ChampionMoved, match="run again") as error:
            published(tmp_path, stale, "b" * 64)
        assert error.value.exit_code == 1
    assert left(tmp_path) == {"champion.json", "frozen.json", "releases", "releases/v1"}


@pytest.mark.parametrize(
    "fails", ["tasks.publish.model_card", "tasks.registry.placement.seal_folder", "tasks.publish.set_champion"]
)
def test_a_failure_leaves_no_half_release_and_the_old_champion(tmp_path, monkeypatch, fails):
    published(tmp_path)

    def dying(*words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fails, dying)
    with pytest.raises(KeyboardInterrupt):
        published(tmp_path, "v1", "b" * 64)
    monkeypatch.undo()
    finished = "releases/v2" if fails.endswith("set_champion") else "releases/v1"
    assert left(tmp_path) == {"champion.json", "frozen.json", "releases", "releases/v1", finished}
    assert champion_state(tmp_path / "artifacts").champion == "v1"
    assert all(verified_manifest(release.path) for release in releases(tmp_path / "artifacts"))


def died_before_the_pointer(folder: Path, monkeypatch: pytest.MonkeyPatch, champion: str | None, print_: str) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("tasks.publish.set_champion", lambda *words: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            published(folder, champion, print_)


def test_a_run_that_died_before_the_pointer_is_finished_by_the_next(tmp_path, monkeypatch):
    published(tmp_path)
    died_before_the_pointer(tmp_path, monkeypatch, "v1", "b" * 64)
    previous = find_previous_result(parts.configured(tmp_path), "b" * 64)
    assert (previous.status, previous.release, previous.champion) == ("unchanged", "v2", "v2")
    assert champion_state(tmp_path / "artifacts").history == ("v1", "v2")


@pytest.mark.slow
def test_an_unfinished_release_never_replaces_a_champion_it_was_not_compared_with(tmp_path, monkeypatch):
    """v2's run dies; v3 becomes champion. v2 has never shown to be better than v3: it must be judged again."""
    published(tmp_path)
    died_before_the_pointer(tmp_path, monkeypatch, "v1", "b" * 64)
    assert published(tmp_path, "v1", "c" * 64).release == "v3"
    assert find_previous_result(parts.configured(tmp_path), "b" * 64) is None
    assert champion_state(tmp_path / "artifacts").champion == "v3"
    assert published(tmp_path, "v3", "b" * 64).release == "v4"
    assert find_previous_result(parts.configured(tmp_path), "b" * 64).release == "v4"


def test_nothing_was_concluded_before(tmp_path):
    assert find_previous_result(parts.configured(tmp_path), "a" * 64) is None


def test_the_same_run_again_is_unchanged(tmp_path):
    result = published(tmp_path)
    previous = find_previous_result(parts.configured(tmp_path), "a" * 64)
    assert replace(previous, status="released") == result
    assert find_previous_result(parts.configured(tmp_path), "b" * 64) is None


@pytest.mark.parametrize(("codes", "result"), [("001", None), ("1", "v1")], ids=["read otherwise", "read alike"])
def test_a_release_of_a_hub_dataset_that_an_earlier_version_read_otherwise_does_not_count(
    tmp_path, monkeypatch, codes, result
):
    with monkeypatch.context() as earlier:
        earlier.setattr("tasks.publish.READING_VERSION", 1)
        published(tmp_path)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "t.csv").write_text(f"data0,label,fmode\n0,0,0\n0,1,{codes}\n")
    fetched = []
    monkeypatch.setattr("tasks.publish.fetch_snapshot", lambda *place: fetched.append(place) or tmp_path / "files")
    commit_was_read_otherwise.cache_clear()
    previous = find_previous_result(parts.configured(tmp_path), "a" * 64)
    assert (previous and previous.release, fetched) == (result, [("acme/boards", "0123abc")])
    assert published(tmp_path, "v1").release == "v2"
    fetched.clear()
    commit_was_read_otherwise.cache_clear()
    assert find_previous_result(parts.configured(tmp_path), "a" * 64).release == "v2"
    assert not fetched


def test_where_the_files_of_an_earlier_release_cannot_be_had_it_counts(tmp_path, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("tasks.publish.READING_VERSION", 1)
        published(tmp_path)

    def fetch(*place):
        raise SourceUnreachable("acme/boards: no answer")

    monkeypatch.setattr("tasks.publish.fetch_snapshot", fetch)
    commit_was_read_otherwise.cache_clear()
    assert find_previous_result(parts.configured(tmp_path), "a" * 64).release == "v1"


def test_a_release_that_was_rolled_back_stays_so(tmp_path):
    """Running it again must not make it champion behind the back of whoever rolled it back."""
    published(tmp_path)
    published(tmp_path, "v1", "b" * 64)
    rollback(tmp_path / "artifacts")
    previous = find_previous_result(parts.configured(tmp_path), "b" * 64)
    assert (previous.status, previous.release, previous.champion) == ("unchanged", "v2", "v1")
    assert champion_state(tmp_path / "artifacts").champion == "v1"


@pytest.mark.slow
def test_a_rejection_counts_only_against_the_champion_of_today(tmp_path):
    published(tmp_path, reasons=("too weak",))
    assert find_previous_result(parts.configured(tmp_path), "a" * 64).reasons == ("too weak",)
    published(tmp_path, None, "b" * 64)
    assert find_previous_result(parts.configured(tmp_path), "a" * 64) is None
    again = published(tmp_path, "v1", reasons=("still too weak",))
    assert len(rejected_drafts(tmp_path / "artifacts")) == 1
    assert find_previous_result(parts.configured(tmp_path), "a" * 64).reasons == again.reasons == ("still too weak",)


def test_a_damaged_conclusion_does_not_count(tmp_path):
    result = published(tmp_path)
    (Path(result.path) / "report.html").write_text("")
    assert find_previous_result(parts.configured(tmp_path), "a" * 64) is None
    rejected = published(tmp_path, "v1", "b" * 64, reasons=("too weak",))
    (Path(rejected.path) / "report.html").write_text("")
    assert find_previous_result(parts.configured(tmp_path), "b" * 64) is None


@pytest.mark.slow
def test_two_processes_publish_at_once(tmp_path):
    """Two versions, one after the other: whoever comes second compares itself with the first."""
    words = [sys.executable, "-c", RIVAL, str(tmp_path)]
    rivals = [
        subprocess.Popen(
            [*words, name], env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"}, stdin=-1, stdout=-1, stderr=-1, text=True
        )
        for name in ("a", "b")
    ]
    assert [rival.stdout.readline() for rival in rivals] == ["ready\n"] * 2
    for rival in rivals:
        rival.stdin.write("\n")
        rival.stdin.flush()
    told = [rival.communicate(timeout=60) for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0], told
    artifacts = tmp_path / "artifacts"
    assert {out.split()[0] for out, _ in told} == {"v1", "v2"}
    assert champion_state(artifacts) == ChampionState("v2", ("v1", "v2"), ("v1", "v2"))
    assert [release.manifest.compared_with for release in releases(artifacts)] == [None, "v1"]
    assert all(verified_manifest(release.path) for release in releases(artifacts))
    assert left(tmp_path) == {"champion.json", "frozen.json", "releases", "releases/v1", "releases/v2"}


def test_a_model_that_was_damaged_on_its_way_is_not_released(tmp_path, monkeypatch):
    """What lies under the final name is verified once more before the pointer moves."""
    from tasks.core import stages

    def careless(folder: Path, manifest: dict) -> None:
        stages.seal_folder(folder, manifest)
        (folder / "model.keras").write_bytes(b"other")

    monkeypatch.setattr("tasks.registry.placement.seal_folder", careless)
    with pytest.raises(DamagedRelease):
        published(tmp_path)
    assert champion_state(tmp_path / "artifacts").champion is None


def test_an_artifacts_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "artifacts").write_text("a file")
    with pytest.raises(UnusableFolder):
        published(tmp_path)


def test_names_that_no_encoding_holds_do_not_stop_the_release(tmp_path):
    """A folder's name may hold bytes that are no text; training took an hour."""
    facts = {"train": parts.FACTS["train"] | {"source": "/mnt/\udcff\udc80 部品", "kind": "folder"}, "test": None}
    result = publish(parts.judged(tmp_path), parts.configured(tmp_path), None, "a" * 64, facts)
    assert "部品" in (Path(result.path) / "README.md").read_text(encoding="utf-8")
    assert promote(tmp_path / "artifacts", "v1").manifest.train.as_json() == facts["train"]


def test_the_commit_is_that_of_kensa(monkeypatch, tmp_path):
    commit = git_commit()
    monkeypatch.chdir(tmp_path)
    assert git_commit() == commit
    assert commit is None or len(commit.removesuffix("+")) == 40
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None
