"""Addresses of object stores and web servers, each read by its real client."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest
from support.fake_gcs import fake_gcs
from support.s3_server import s3_server

from tasks.core.errors import NoPermission, SourceUnreachable, UnknownSource, UnreadableSource
from tasks.sources.remote import fetch, pin_address

FILES = {"lots/a.csv": b"data0,label\n1,a\n", "lots/b.parquet": b"PAR1", "lots/photo.png": b"x", "README.md": b"a card"}


@pytest.fixture
def memory():
    """fsspec's store in this process' memory, with the files below /parts."""
    store = fsspec.filesystem("memory")
    for name, content in FILES.items():
        store.pipe(f"/parts/{name}", content)
    yield store
    store.rm("/parts", recursive=True)


def fetched(address, data):
    """The names of the fetched files, and which of them are named."""
    folder, names = fetch(pin_address(address, data))
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}, names


@pytest.mark.parametrize(
    ("path", "files", "names"),
    [
        ("parts", {"lots/a.csv", "lots/b.parquet", "README.md"}, None),
        ("parts/", {"lots/a.csv", "lots/b.parquet", "README.md"}, None),
        ("parts/lots", {"a.csv", "b.parquet"}, None),
        ("parts/lots/a.csv", {"a.csv"}, ("a.csv",)),
        ("parts/*/*.csv", {"lots/a.csv"}, ("lots/a.csv",)),
        ("parts/**/*", {"lots/a.csv", "lots/b.parquet"}, ("lots/a.csv", "lots/b.parquet")),
    ],
)
def test_a_folder_a_file_and_a_pattern(memory, tmp_path, path, files, names):
    assert fetched(f"memory://{path}", tmp_path) == (files, names)


def test_what_is_here_is_not_fetched_again_and_a_change_is_another_revision(memory, tmp_path):
    first = pin_address("memory://parts/lots", tmp_path)
    fetch(first)
    assert pin_address("memory://parts/lots", tmp_path).revision == first.revision
    memory.pipe("/parts/lots/a.csv", b"data0,label\n2,a\n")
    assert (fetch(first)[0] / "a.csv").read_bytes() == FILES["lots/a.csv"]
    second = pin_address("memory://parts/lots", tmp_path)
    assert second.revision != first.revision
    assert (fetch(second)[0] / "a.csv").read_bytes() == b"data0,label\n2,a\n"


def test_a_standard_comes_along_and_belongs_to_no_revision(memory, tmp_path):
    before = pin_address("memory://parts", tmp_path).revision
    memory.pipe("/parts/standard.npz", b"a standard")
    assert pin_address("memory://parts", tmp_path).revision == before
    files, names = fetched("memory://parts", tmp_path)
    assert (files, names) == ({"lots/a.csv", "lots/b.parquet", "README.md", "standard.npz"}, None)


def test_what_has_changed_since_it_was_pinned_is_not_read(memory, tmp_path):
    pinned = pin_address("memory://parts/lots", tmp_path)
    memory.pipe("/parts/lots/a.csv", b"later")
    with pytest.raises(SourceUnreachable, match="has changed while it was read; run again"):
        fetch(pinned)
    assert list((tmp_path / "sources").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("memory://parts/no", UnknownSource, "expected a file, a folder or a pattern, found none there"),
        ("memory://parts/*.csv", UnknownSource, "found no file"),
        ("memory://parts/lots/photo.png", UnreadableSource, "expected parquet, .* or zip files, found photo.png"),
        ("nosuch://parts", UnknownSource, "expected an address such as s3://bucket/folder"),
        ("abfs://box/parts", UnknownSource, "expected the package that reads abfs://, found none"),
    ],
)
def test_what_cannot_be_read_is_one_line(memory, tmp_path, address, error, message):
    with pytest.raises(error, match=message):
        pin_address(address, tmp_path)


@pytest.fixture
def web(tmp_path):
    """The address of a web server of a folder, and the folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = SimpleHTTPRequestHandler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_a_file_of_a_web_server(web, tmp_path):
    address, folder = web
    (folder / "parts.csv").write_bytes(FILES["lots/a.csv"])
    assert fetched(f"{address}/parts.csv", tmp_path) == ({"parts.csv"}, ("parts.csv",))
    assert fetched(f"{address}/parts.csv?token=x", tmp_path) == ({"parts.csv"}, ("parts.csv",))
    with pytest.raises(UnknownSource, match="none there; check the name"):
        pin_address(f"{address}/other.csv", tmp_path)


def test_where_nobody_answers_a_later_try_can_help(tmp_path):
    with pytest.raises(SourceUnreachable, match="check the address, the network and the credentials") as error:
        pin_address("http://127.0.0.1:9/parts.csv", tmp_path)
    assert error.value.may_pass


@pytest.mark.slow
def test_a_folder_of_google_s_store(monkeypatch, tmp_path):
    with fake_gcs({"factory": FILES}) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert fetched("gs://factory/lots", tmp_path) == ({"a.csv", "b.parquet"}, None)
        assert fetched("gs://factory/lots/*.csv", tmp_path) == ({"a.csv"}, ("a.csv",))
        with pytest.raises(UnknownSource):
            pin_address("gs://factory/nothing", tmp_path)


@pytest.mark.slow
def test_a_folder_of_s3(monkeypatch, tmp_path):
    with s3_server("plant", FILES) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        assert fetched("s3://plant", tmp_path) == ({"lots/a.csv", "lots/b.parquet", "README.md"}, None)
        assert fetched("s3://plant/lots/a.csv", tmp_path) == ({"a.csv"}, ("a.csv",))
        assert fetched("s3://plant/*/*.csv", tmp_path) == ({"lots/a.csv"}, ("lots/a.csv",))
        with pytest.raises(UnknownSource):
            pin_address("s3://plant/nothing", tmp_path)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        with pytest.raises(NoPermission, match="set credentials in the environment"):
            pin_address("s3://plant/lots", tmp_path)
