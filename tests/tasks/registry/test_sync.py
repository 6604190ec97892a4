"""A store that machines share: nothing half-written, nothing overwritten unseen, on a shared disk and on S3 alike."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout
from support import inspected_parts as parts
from support.releases import reseal
from support.s3_server import KEYS, fill_bucket, s3_server

from tasks.caching.pieces import PIECE_STAGE
from tasks.core.errors import BadSetting, ChampionMoved, DamagedRelease, UnusableFolder
from tasks.core.files import add_checksum, write_json
from tasks.core.stages import MANIFEST, get_or_make_stage
from tasks.registry.champion import champion_state, promote, registry_lock, rollback
from tasks.registry.journal import Entry
from tasks.registry.journal_events import record
from tasks.registry.sync import pull, push
from tasks.sources.object_store import ObjectStore

MANIFEST_OF_V1 = f"artifacts/releases/v1/{MANIFEST}"

Machine = tuple[Path, Path]  # the folders of data and artifacts


@pytest.fixture
def address(tmp_path) -> str:
    """A store on a shared disk."""
    return (tmp_path / "shared").as_uri()


@pytest.fixture
def first(tmp_path) -> Machine:
    """A machine with a cache, a stage with a folder in it, a frozen set, and v1 as its champion."""
    data, artifacts = tmp_path / "first" / "data", tmp_path / "first" / "artifacts"
    for kind, name in (("cache", "records"), ("stages", "model")):
        get_or_make_stage(data / kind, name, "a" * 64, _stage)
    parts.release(artifacts, "v1")
    promote(artifacts, "v1")
    write_json(artifacts / "frozen.json", add_checksum({"f1": {"digest": "d"}}))
    return data, artifacts


@pytest.fixture
def second(tmp_path) -> Machine:
    """A machine on which nothing was done yet."""
    return tmp_path / "second" / "data", tmp_path / "second" / "artifacts"


@pytest.fixture
def s3(monkeypatch):
    """The environment of an S3 server on this machine, set."""
    with s3_server() as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        yield env


def _stage(draft: Path) -> dict[str, Any]:
    (draft / "deep").mkdir()
    (draft / "deep" / "maps.npy").write_bytes(bytes(5000))
    return {}


def released(machine: Machine, version: str, note: str = "") -> None:
    """One more release, which becomes champion."""
    folder = parts.release(machine[1], version)
    (folder / "README.md").write_text(f"{version} {note}")
    reseal(folder)
    promote(machine[1], version)


def content(machine: Machine) -> dict[str, bytes]:
    """Every file but locks and notes, by its name."""
    files = [path for place in machine for path in place.rglob("*") if path.is_file() and path.name[0] != "."]
    return {path.relative_to(machine[0].parent).as_posix(): path.read_bytes() for path in files}


def require_copies(first: Machine, second: Machine, address: str) -> None:
    """Bring all that the first machine has to the second, and see that once is enough."""
    sent = push(*first, address)
    assert (sent.status, sent.champion) == ("pushed", "v1")
    fetched = pull(*second, address)
    assert (fetched.status, fetched.champion, set(fetched.folders)) == ("pulled", "v1", set(sent.folders))
    assert content(second) == content(first)
    assert set(sent.folders) == {
        f"data/cache/records-{'a' * 16}",
        f"data/stages/model-{'a' * 16}",
        "artifacts/releases/v1",
    }
    for result in (push(*first, address), pull(*second, address)):
        assert (result.status, result.folders) == ("unchanged", ())


def test_pieces_of_a_cache_that_is_not_done_stay_here(first, address):
    get_or_make_stage(first[0] / "cache", PIECE_STAGE, "b" * 64, _stage)
    push(*first, address)
    assert not [name for name in ObjectStore(address).names("data/cache") if PIECE_STAGE in name]


def test_a_fresh_machine_gets_all_that_the_first_has(first, second, address):
    require_copies(first, second, address)


def test_what_one_machine_releases_the_other_pulls(first, second, address):
    push(*first, address)
    pull(*second, address)
    released(second, "v2")
    assert push(*second, address).folders == ("artifacts/releases/v2",)
    assert pull(*first, address).champion == "v2"
    rollback(first[1])
    push(*first, address)
    assert pull(*second, address).champion == "v1"


def test_signatures_go_along(first, second, address):
    (first[1] / "signatures").mkdir()
    for content in ("a signature", "made anew"):
        (first[1] / "signatures" / "v1.sig").write_text(content)
        push(*first, address)
        pull(*second, address)
        assert (second[1] / "signatures" / "v1.sig").read_text() == content
    assert [path.name for path in (second[1] / "signatures").iterdir()] == ["v1.sig"]


def test_no_machine_overwrites_what_it_has_not_seen(first, second, address):
    push(*first, address)
    pull(*second, address)
    released(first, "v2")
    push(*first, address)
    released(second, "v3")
    with pytest.raises(ChampionMoved, match="the store's champion has moved since both were the same; pull first"):
        push(*second, address)
    with pytest.raises(ChampionMoved, match="this folder's champion has moved since both were the same; push it first"):
        pull(*second, address)
    assert champion_state(second[1]).champion == "v3"
    assert b'"v2"' in ObjectStore(address).read("artifacts/champion.json")


def test_two_releases_of_one_name_are_told(first, second, address):
    push(*first, address)
    pull(*second, address)
    released(first, "v2", "here")
    released(second, "v2", "there")
    push(*first, address)
    for way in (push, pull):
        with pytest.raises(ChampionMoved, match="its v2 is another release than the one here"):
            way(*second, address)


def test_half_a_folder_in_the_store_is_no_folder(first, second, address, tmp_path):
    """As a push leaves it whose process died: no manifest, no pointer; the next push completes it."""
    push(*first, address)
    for name in (MANIFEST_OF_V1, "artifacts/champion.json"):
        (tmp_path / "shared" / name).unlink()
    with pytest.raises(BadSetting, match="expected a store that kensa store push has filled, found none"):
        pull(*second, address)
    assert push(*first, address).folders == ("artifacts/releases/v1",)
    assert pull(*second, address).champion == "v1"


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "changed": lambda store: (store / "artifacts/releases/v1/anchors.npz").write_bytes(b"other"),
    "missing": lambda store: (store / "artifacts/releases/v1/anchors.npz").unlink(),
    "leads out": lambda store: (store / MANIFEST_OF_V1).write_text('{"files": {"../../../out": "0"}}'),
    "no manifest": lambda store: (store / MANIFEST_OF_V1).write_text("[1]"),
    "no JSON": lambda store: (store / MANIFEST_OF_V1).write_bytes(b"\xff"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_as_it_was_written_gets_no_name_here(first, second, address, tmp_path, damage):
    push(*first, address)
    DAMAGES[damage](tmp_path / "shared")
    with pytest.raises(DamagedRelease, match=r"artifacts/releases/v1: was changed in the store"):
        pull(*second, address)
    assert not (second[1] / "champion.json").exists()
    assert not list((second[1] / "releases").glob("*"))
    assert not list(tmp_path.rglob("out"))


def test_a_damaged_release_is_not_pushed(first, address):
    (first[1] / "releases" / "v1" / "anchors.npz").write_bytes(b"")
    with pytest.raises(DamagedRelease, match="its files are not as they were written"):
        push(*first, address)
    assert ObjectStore(address).read("artifacts/champion.json") is None


def test_a_damaged_stage_is_not_pushed(first, address):
    (stage,) = (first[0] / "stages").glob("*")
    (stage / "deep" / "maps.npy").write_bytes(b"")
    assert f"data/stages/{stage.name}" not in push(*first, address).folders


@pytest.mark.parametrize("name", ["champion.json", "frozen.json"])
def test_a_pointer_that_is_not_as_it_was_sealed_overwrites_nothing(first, second, address, tmp_path, name):
    push(*first, address)
    pull(*second, address)
    before = (second[1] / name).read_bytes()
    for body in (before.replace(b"1", b"2", 1), b"[]", b"not JSON"):
        (tmp_path / "shared" / "artifacts" / name).write_bytes(body)
        with pytest.raises(DamagedRelease, match=f"{name}: expected JSON that fits its checksum"):
            pull(*second, address)
        assert (second[1] / name).read_bytes() == before


def test_a_hidden_name_in_the_store_is_no_folder(first, second, address, tmp_path):
    push(*first, address)
    hidden = tmp_path / "shared" / "data" / "cache" / ".writing"
    hidden.mkdir()
    (hidden / MANIFEST).write_text('{"files": {}}')
    assert pull(*second, address).champion == "v1"
    assert not (second[0] / "cache" / ".writing").exists()


def test_without_a_release_nothing_is_pushed(second, address, tmp_path):
    with pytest.raises(BadSetting, match="expected a release to share, found none yet; kensa retrain makes one"):
        push(*second, address)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("boards", BadSetting, "boards: expected an address such as s3://bucket/folder or file:///mnt/store"),
        ("nothing://x/y", UnusableFolder, r"nothing://x/y: cannot be read or written \(Protocol not known: nothing\)"),
    ],
)
def test_an_address_that_is_none_is_told_in_one_line(first, address, error, message):
    with pytest.raises(error, match=message) as raised:
        push(*first, address)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_s3_is_a_store_too_spoken_to_by_its_real_client(first, second, s3):
    with pytest.raises(UnusableFolder, match=r"s3://boards/line: cannot be read or written \("):
        push(*first, "s3://boards/line")
    fill_bucket(s3, "boards", {})
    with pytest.raises(BadSetting, match="expected a store that kensa store push has filled"):
        pull(*second, "s3://boards/line")
    require_copies(first, second, "s3://boards/line")
    released(first, "v2")
    push(*first, "s3://boards/line")
    released(second, "v3")
    with pytest.raises(ChampionMoved, match="the store's champion has moved since both were the same; pull first"):
        push(*second, "s3://boards/line")
    store = ObjectStore("s3://boards/line")
    for name in ("..", ".writing"):
        store.write(f"data/cache/{name}/{MANIFEST}", b'{"files": {}}')
    assert pull(*first, "s3://boards/line").status == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rounds"), [("disk", 20), ("s3", 3)])
def test_of_two_machines_that_release_at_once_one_wins_each_time(first, tmp_path, kind, rounds, request):
    """Both have v1 and release: in every other round each its own v2, else a v2 and a v3. The other one is told."""
    if kind == "s3":
        fill_bucket(request.getfixturevalue("s3"), "races", {})
    for turn in range(rounds):
        address = f"s3://races/{turn}" if kind == "s3" else (tmp_path / "shared" / str(turn)).as_uri()
        push(*first, address)
        machines = []
        for number in range(2):
            place = Path(shutil.copytree(first[0].parent, tmp_path / f"machine {number} in {turn}"))
            machines.append((place / "data", place / "artifacts"))
            released(machines[-1], f"v{2 + number * (turn % 2)}", f"of machine {number}")
        with ThreadPoolExecutor(2) as pool:
            errors = list(pool.map(lambda machine, to=address: _error_of(push, machine, to), machines))
        (winner,) = (number for number, error in enumerate(errors) if error is None)
        assert isinstance(errors[1 - winner], ChampionMoved)
        store, champion = ObjectStore(address), champion_state(machines[winner][1]).champion
        assert json.loads(store.read("artifacts/champion.json"))["champion"] == champion
        manifest = (machines[winner][1] / "releases" / champion / MANIFEST).read_bytes()
        assert store.read(f"artifacts/releases/{champion}/{MANIFEST}") == manifest
        assert pull(tmp_path / f"new {turn}" / "data", tmp_path / f"new {turn}" / "artifacts", address)


def _error_of(action: Callable[..., Any], machine: Machine, address: str) -> Exception | None:
    try:
        action(*machine, address)
    except Exception as error:  # whatever it is, the test looks at it
        return error
    return None


def test_what_was_seen_and_traced_goes_along(first, second, address):
    for name in ("observations/a.json", "traces/b.parquet", "traces/line/2026-11-29/c.parquet"):
        (first[1] / name).parent.mkdir(parents=True, exist_ok=True)
        (first[1] / name).write_text(name)
    draft = first[1] / "traces" / ".trace-0123abcd-1-x" / "half.parquet"
    draft.parent.mkdir()
    draft.write_text("a process writes it right now")
    push(*first, address)
    pull(*second, address)
    assert not list(second[1].rglob("half.parquet"))
    draft.unlink()
    assert content(second) == content(first)


def test_journals_of_two_machines_are_joined_whoever_writes_meanwhile(first, second, address, monkeypatch):
    """Another machine sends its entries between this machine's reading and writing: none is lost."""
    push(*first, address)
    pull(*second, address)
    released(second, "v2")
    version, calls = ObjectStore.version, []

    def moved_meanwhile(store: ObjectStore, name: str) -> str | None:
        seen = version(store, name)
        if name.endswith("journal.jsonl") and not calls:
            calls.append(name)
            record_in_store(first, address)
        return seen

    monkeypatch.setattr(ObjectStore, "version", moved_meanwhile)
    push(*second, address)
    events = [json.loads(line)["event"] for line in ObjectStore(address).read("artifacts/journal.jsonl").splitlines()]
    assert {"noted elsewhere", "promoted"} <= set(events)
    assert calls


def record_in_store(machine: Machine, address: str) -> None:
    """An entry of that machine's journal, as it stands in the store."""
    with registry_lock(machine[1]):
        record(machine[1], Entry(event="noted elsewhere", subject="v1", key="noted elsewhere"))
    ObjectStore(address).write("artifacts/journal.jsonl", (machine[1] / "journal.jsonl").read_bytes())


def test_an_s3_where_nobody_answers_is_told_in_one_line(first, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UnusableFolder, match="s3://boards/line: cannot be read or written") as error:
        push(*first, "s3://boards/line")
    assert "\n" not in str(error.value)


def test_a_push_holds_the_lock_under_which_the_champion_moves(first, address, monkeypatch):
    held = []

    def send(store, name, folder):
        with pytest.raises(Timeout):
            FileLock(first[1] / ".lock", is_singleton=False).acquire(timeout=0)
        held.append(name)

    monkeypatch.setattr("tasks.registry.sync._send", send)
    push(*first, address)
    assert held


def test_manifests_come_last_and_the_champion_after_its_frozen_set(first, second, address, monkeypatch):
    """Whoever is interrupted leaves a folder without a name, never a name without its files."""
    written, write = [], ObjectStore.write
    monkeypatch.setattr(
        ObjectStore, "write", lambda store, name, content: written.append(name) or write(store, name, content)
    )
    push(*first, address)
    for folder in {name.rpartition(MANIFEST)[0] for name in written if name.endswith(MANIFEST)}:
        assert [name for name in written if name.startswith(folder)][-1] == f"{folder}{MANIFEST}"
    last = ["artifacts/frozen.json", "artifacts/champion.json", "artifacts/journal.jsonl"]
    assert written[-3:] == last
    stored = []
    monkeypatch.setattr("tasks.registry.sync.write_json", lambda path, content: stored.append(path.name))
    with contextlib.suppress(Exception):  # nothing was stored
        pull(*second, address)
    assert stored[:2] == ["frozen.json", "champion.json"]


@pytest.mark.parametrize("file", ["../../../evil", "/tmp/kensa-evil"])
def test_a_store_writes_nothing_outside_of_a_folder(first, second, address, tmp_path, file):
    push(*first, address)
    manifest = tmp_path / "shared" / MANIFEST_OF_V1
    entries = json.loads(manifest.read_text())
    (tmp_path / "shared" / "evil").write_bytes(b"evil")  # where the store would find the first
    files = {**entries["files"], file: hashlib.sha256(b"evil").hexdigest()}
    manifest.write_text(json.dumps(add_checksum({**entries, "files": files})))
    monitored = ObjectStore(address)
    with pytest.raises(DamagedRelease, match="was changed in the store"):
        pull(*second, address)
    assert monitored.read(MANIFEST_OF_V1)
    assert not list((tmp_path / "second").rglob("*evil"))
    assert not Path("/tmp/kensa-evil").exists()
