"""What `push` refuses before it asks the Hub; tests/kensa/cli/test_push.py pushes to a server like the Hub."""

from __future__ import annotations

import pytest
from support.releases import stored_release

from tasks.core.errors import BadSetting, DamagedRelease, UnknownRelease
from tasks.registry.hub_push import push


@pytest.fixture
def artifacts(tmp_path):
    stored_release(tmp_path)
    return tmp_path


@pytest.mark.parametrize("repository", ["no-name", "https://huggingface.co/acme/board", "acme/", "../board"])
def test_what_is_no_name_of_a_repository_is_refused(artifacts, repository):
    with pytest.raises(BadSetting, match="expected org/name of a model repository on the Hub"):
        push(artifacts, "v1", repository)


def test_a_release_that_does_not_exist_is_refused(artifacts):
    with pytest.raises(UnknownRelease, match=r"v9: no such release .*; there are v1"):
        push(artifacts, "v9", "acme/board")


def test_a_damaged_release_is_not_published(artifacts):
    (artifacts / "releases" / "v1" / "report.html").write_text("changed")
    with pytest.raises(DamagedRelease, match="a file differs from the digest in its manifest"):
        push(artifacts, "v1", "acme/board")
