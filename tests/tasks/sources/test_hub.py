"""Files that are not what the Hub named go and are fetched anew, and its errors are told in Kensa's words."""

from __future__ import annotations

import errno
import hashlib

import pytest
from huggingface_hub import errors
from huggingface_hub.utils import httpx
from support.fake_hub import blob_id

from tasks.core.errors import (
    BadSetting,
    NoPermission,
    SourceUnreachable,
    UnknownRepository,
    UnknownRevision,
    UnknownSource,
    UnreadableSource,
    UnusableFolder,
)
from tasks.sources.hub import DATASET, MODEL_REPOSITORY, translate_hub_errors, verify_snapshot


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


def answer(status, kind=errors.HfHubHTTPError):
    request = httpx.Request("GET", "https://hub.example/api/datasets/acme/boards")
    return kind("no", response=httpx.Response(status, request=request))


NOT_CACHED = errors.LocalEntryNotFoundError("not here")
NOT_CACHED.__cause__ = httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("raised", "repository", "expected", "text"),
    [
        (answer(401), DATASET, NoPermission, "the Hub answers 401; set an HF_TOKEN that may read this dataset"),
        (answer(403), MODEL_REPOSITORY, NoPermission, "the Hub answers 403; set an HF_TOKEN that may write there"),
        (answer(404), MODEL_REPOSITORY, UnknownRepository, "no such model repository on the Hub"),
        (answer(401, errors.RepositoryNotFoundError), DATASET, UnknownSource, "no such dataset on the Hub"),
        (answer(401, errors.GatedRepoError), DATASET, NoPermission, "the dataset is gated"),
        (answer(404, errors.RevisionNotFoundError), DATASET, UnknownRevision, "branch, tag or commit of the dataset"),
        (answer(404, errors.RemoteEntryNotFoundError), DATASET, SourceUnreachable, "lacks a file that it names"),
        (answer(503), DATASET, SourceUnreachable, "the Hub answers 503; try again later"),
        (answer(503), MODEL_REPOSITORY, SourceUnreachable, "what was sent is not sent again"),
        (NOT_CACHED, DATASET, SourceUnreachable, r"no answer from the Hub \(ConnectError\)"),
        (errors.OfflineModeIsEnabled("off"), MODEL_REPOSITORY, UnreadableSource, "is set; a push needs the Hub"),
        (OSError(errno.ENOSPC, "No space left"), DATASET, UnusableFolder, r"cannot be kept \(No space left\)"),
        (KeyError("sha"), DATASET, UnreadableSource, "answer cannot be used"),
        (BadSetting("ours"), DATASET, BadSetting, "^ours$"),
    ],
    ids=str,
)
def test_what_the_client_raises_is_told_in_one_line(raised, repository, expected, text):
    with pytest.raises(expected, match=text) as error, translate_hub_errors("acme/boards@main", repository):
        raise raised
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("address", ["ftp://me:hidden@proxy:3128", "http://me:hidden@proxy:port"])
def test_a_proxy_with_which_the_client_cannot_be_made_is_named_with_its_cure(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)
    expected = r"^HTTPS_PROXY: expected a proxy such as http://proxy:8080"
    with pytest.raises(BadSetting, match=expected) as error, translate_hub_errors("acme/boards@main"):
        httpx.Client()
    assert "hidden" not in str(error.value)


def test_where_no_answer_comes_through_a_proxy_it_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:8080")
    causes = r"check the network, HTTPS_PROXY and HF_ENDPOINT$"
    with pytest.raises(SourceUnreachable, match=causes), translate_hub_errors("acme/boards@main"):
        raise NOT_CACHED
