"""The Hub's files are what it named, or they go and are fetched anew."""

from __future__ import annotations

import hashlib

import pytest
from support.fake_hub import blob_id

from tasks.core.errors import SourceUnreachable
from tasks.data.hub import verify_snapshot


def snapshot(folder, name, content):
    """A file of a snapshot as the client keeps it: a link to a blob of that name."""
    (folder / "blobs").mkdir()
    (folder / "snapshots").mkdir()
    (folder / "blobs" / name).write_bytes(content)
    (folder / "snapshots" / "t.parquet").symlink_to(folder / "blobs" / name)
    return folder / "snapshots"


@pytest.mark.parametrize(
    "name",
    [blob_id(b"true"), hashlib.sha256(b"true").hexdigest(), hashlib.sha1(b"true").hexdigest(), "an-etag-of-a-mirror"],
)
def test_what_is_as_it_was_named_stays(tmp_path, name):
    folder = snapshot(tmp_path, name, b"true")
    verify_snapshot(folder, "acme/boards")
    assert (folder / "t.parquet").read_bytes() == b"true"


@pytest.mark.parametrize("name", [blob_id(b"true"), hashlib.sha256(b"true").hexdigest()])
def test_what_is_not_is_removed_and_may_pass(tmp_path, name):
    folder = snapshot(tmp_path, name, b"false")
    with pytest.raises(SourceUnreachable, match=r"t.parquet is not what the Hub named") as told:
        verify_snapshot(folder, "acme/boards")
    assert told.value.may_pass
    assert list(folder.iterdir()) == list((tmp_path / "blobs").iterdir()) == []
