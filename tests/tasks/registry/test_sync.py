"""A store on S3, spoken to by its real client at a real server on this machine: two machines share one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tasks.core.errors import BadSetting, ChampionMoved, DamagedRelease, UnusableFolder
from tasks.core.stages import MANIFEST, seal_folder, verified_manifest
from tasks.registry.champion import champion_state, promote, rollback
from tasks.registry.sync import Store, pull, push

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3():
    """The server; its address is in the environment as the client wants it."""
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in KEYS.items():
            patched.setenv(name, value)
        patched.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*served.get_host_and_port()))
        yield boto3.client("s3")
    served.stop()


@pytest.fixture
def store(s3, request):
    """An address in a bucket of its own."""
    name = f"b{abs(hash(request.node.name)) % 10**12}"
    s3.create_bucket(Bucket=name)
    return SimpleNamespace(address=f"s3://{name}/boards", s3=s3, bucket=name)


def machine(folder: Path, line=None) -> tuple[Path, Path]:
    """The data and artifacts folders of a machine, with a line's content if one is given."""
    places = folder / "data", folder / "artifacts"
    if line is not None:
        shutil.copytree(line.data_folder, places[0])
        shutil.copytree(line.artifacts_folder, places[1])
    return places


def released(artifacts: Path, version: str, note: str = "") -> None:
    """One more release, sealed, and champion."""
    folder = artifacts / "releases" / version
    shutil.copytree(artifacts / "releases" / "v1", folder)
    manifest = verified_manifest(folder)
    (folder / "README.md").write_text(f"{version} {note}")
    seal_folder(folder, {**{k: v for k, v in manifest.items() if k not in ("files", "seal")}, "version": version})
    promote(artifacts, version)


def content(places: tuple[Path, Path]) -> dict[str, bytes]:
    """Every file but locks and notes, by its name."""
    files = [path for place in places for path in place.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(places[0].parent).as_posix(): path.read_bytes() for path in files}


def test_a_fresh_machine_gets_all_that_the_first_has(small_line, tmp_path, store):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    up = push(*first, store.address)
    assert (up.status, up.champion) == ("pushed", "v1")
    down = pull(*second, store.address)
    assert (down.status, down.champion, set(down.folders)) == ("pulled", "v1", set(up.folders))
    here = content(second)
    assert here == {name: value for name, value in content(first).items() if name in here}
    assert {name.split("/")[1] for name in here} >= {"cache", "stages", "releases", "champion.json"}
    for done in (push(*first, store.address), pull(*second, store.address)):
        assert (done.status, done.folders) == ("unchanged", ())


def test_what_one_machine_releases_the_other_pulls(small_line, tmp_path, store):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    pull(*second, store.address)
    released(second[1], "v2")
    assert push(*second, store.address).folders == ("artifacts/releases/v2",)
    assert pull(*first, store.address).champion == "v2"
    rollback(first[1])
    push(*first, store.address)
    assert pull(*second, store.address).champion == "v1"


def test_no_machine_writes_over_what_it_has_not_seen(small_line, tmp_path, store):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    pull(*second, store.address)
    released(first[1], "v2")
    push(*first, store.address)
    rollbacks = champion_state(second[1])
    released(second[1], "v3")
    with pytest.raises(ChampionMoved, match="the store's champion has moved since both were the same; pull first"):
        push(*second, store.address)
    with pytest.raises(ChampionMoved, match="this folder's champion has moved since both were the same; push it first"):
        pull(*second, store.address)
    assert rollbacks.champion == "v1"
    assert champion_state(second[1]).champion == "v3"
    assert b'"v2"' in Store(store.address).read("artifacts/champion.json")


def test_two_releases_of_one_name_are_told(small_line, tmp_path, store):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    pull(*second, store.address)
    released(first[1], "v2", "here")
    released(second[1], "v2", "there")
    push(*first, store.address)
    for way in (push, pull):
        with pytest.raises(ChampionMoved, match="its v2 is another release than the one here"):
            way(*second, store.address)


def test_half_a_folder_in_the_store_is_no_folder(small_line, tmp_path, store):
    """As a push leaves it whose process died: no manifest, no pointer; the next push completes it."""
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    for name in (f"artifacts/releases/v1/{MANIFEST}", "artifacts/champion.json"):
        store.s3.delete_object(Bucket=store.bucket, Key=f"boards/{name}")
    with pytest.raises(BadSetting, match="expected a store that kensa store push has filled, found none"):
        pull(*second, store.address)
    assert push(*first, store.address).folders == ("artifacts/releases/v1",)
    assert pull(*second, store.address).champion == "v1"


@pytest.mark.parametrize("damage", ["changed", "gone", "leads out", "no manifest", "no JSON"])
def test_what_is_not_as_it_was_written_gets_no_name_here(small_line, tmp_path, store, damage):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    key = "boards/artifacts/releases/v1/anchors.npz"
    if damage == "changed":
        store.s3.put_object(Bucket=store.bucket, Key=key, Body=b"other")
    elif damage == "gone":
        store.s3.delete_object(Bucket=store.bucket, Key=key)
    else:
        told = {"leads out": b'{"files": {"../../../out": "0"}}', "no manifest": b"[1]", "no JSON": b"\xff"}
        manifest = told[damage]
        store.s3.put_object(Bucket=store.bucket, Key=f"boards/artifacts/releases/v1/{MANIFEST}", Body=manifest)
    with pytest.raises(DamagedRelease, match=r"artifacts/releases/v1: is not in the store as it was written"):
        pull(*second, store.address)
    assert not (second[1] / "champion.json").exists()
    assert not list((second[1] / "releases").glob("*"))
    assert not (tmp_path / "out").exists()


def test_a_damaged_release_is_not_pushed(small_line, tmp_path, store):
    places = machine(tmp_path, small_line)
    (places[1] / "releases" / "v1" / "anchors.npz").write_bytes(b"")
    with pytest.raises(DamagedRelease, match="its files are not as they were written"):
        push(*places, store.address)
    assert Store(store.address).read("artifacts/champion.json") is None


@pytest.mark.parametrize("name", ["champion.json", "frozen.json"])
def test_a_pointer_that_is_not_as_it_was_sealed_writes_over_nothing(small_line, tmp_path, store, name):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    pull(*second, store.address)
    before = (second[1] / name).read_bytes()
    for body in (before.replace(b"1", b"2", 1), b"[]", b"not JSON"):
        store.s3.put_object(Bucket=store.bucket, Key=f"boards/artifacts/{name}", Body=body)
        with pytest.raises(DamagedRelease, match=f"{name}: expected JSON as it was sealed"):
            pull(*second, store.address)
        assert (second[1] / name).read_bytes() == before


def test_a_hidden_name_in_the_store_is_no_folder(small_line, tmp_path, store):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    push(*first, store.address)
    for name in ("..", ".writing"):
        store.s3.put_object(Bucket=store.bucket, Key=f"boards/data/cache/{name}/{MANIFEST}", Body=b'{"files": {}}')
    assert pull(*second, store.address).champion == "v1"
    assert not list(second[0].parent.rglob(f"data/{MANIFEST}"))


def test_without_a_release_nothing_is_pushed(tmp_path):
    with pytest.raises(BadSetting, match="expected a release to share, found none yet; kensa retrain makes one"):
        push(*machine(tmp_path), (tmp_path / "shared").as_uri())
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("boards", "boards: expected an address such as s3://bucket/folder"),
        ("nothing://x/y", "nothing://x/y: cannot be read or written (Protocol not known: nothing)"),
        ("s3://no-such-bucket/x", "s3://no-such-bucket/x: cannot be read or written ("),
    ],
)
def test_the_commands_mistakes_are_one_line(small_line, place, store, address, told):
    import os

    shutil.copytree(small_line.artifacts_folder, place.folder / "artifacts")
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    done = place.kensa("store", "push", address, **aws)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert done.err.splitlines()[-1].startswith("kensa: ")
    assert "Traceback" not in done.err


def test_nobody_answers(small_line, tmp_path, store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UnusableFolder, match="cannot be read or written"):
        push(*machine(tmp_path, small_line), store.address)


def test_a_folder_of_a_shared_disk_is_a_store_too(small_line, tmp_path):
    first, second = machine(tmp_path / "first", small_line), machine(tmp_path / "second")
    address = (tmp_path / "shared").as_uri()
    push(*first, address)
    assert pull(*second, address).champion == "v1"
