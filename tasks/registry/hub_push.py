"""Publishes a release to a model repository of the Hub: once, complete, and resumable.

Large files are sent first, one by one; what the Hub has already is not sent again. One commit then makes the
release visible, and a tag of its name is set last: a tag is a complete release, and is never moved.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import AlreadyPublished, BadSetting, NoPermission
from tasks.core.results import PushResult
from tasks.core.stages import MANIFEST
from tasks.core.text import one_line
from tasks.provenance.signatures import signature_path
from tasks.registry.releases import Release, get_release, verify_release
from tasks.sources.hub import MODEL_REPOSITORY, translate_hub_errors

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

REPOSITORY_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SIGNATURE_FILE = "model.sig"  # as model-signing names it
HUB_FILE = ".gitattributes"  # the Hub's own, which says which files are large


def push(artifacts: Path, version: str, repository: str, public: bool = False) -> PushResult:
    """Publish a release under the tag of its name; a missing repository is made, private unless `public`.

    Raises UnknownRelease, DamagedRelease, AlreadyPublished where the tag holds another content, UnknownRepository,
    NoPermission, or SourceUnreachable, after which another push resumes.
    """
    if not REPOSITORY_NAME.fullmatch(repository):
        raise BadSetting(f"{repository}: expected org/name of a model repository on the Hub")
    release = verify_release(get_release(artifacts, version))
    from huggingface_hub import HfApi

    api = HfApi()
    with translate_hub_errors(repository, MODEL_REPOSITORY):
        api.create_repo(repository, private=not public, exist_ok=True)
        commit = _existing_commit(api, release, repository)
        if commit is not None:
            return PushResult("unchanged", version, repository, version, commit)
        additions = _upload(api, release, repository)
        commit = _commit(api, release, repository, additions)
        api.create_tag(repository, tag=version, revision=commit, tag_message=f"kensa {version}")
    return PushResult("pushed", version, repository, version, commit)


def _existing_commit(api: HfApi, release: Release, repository: str) -> str | None:
    """The commit under the release's tag, None without such a tag; AlreadyPublished where it is of another content."""
    from huggingface_hub import errors

    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repository).tags}
    if release.version not in tags:
        return None
    commit = tags[release.version]
    try:
        published = Path(api.hf_hub_download(repository, MANIFEST, revision=commit)).read_bytes()
    except errors.RemoteEntryNotFoundError:
        published = None
    if published == (release.path / MANIFEST).read_bytes():
        return commit
    raise AlreadyPublished(
        f"{repository}: expected no tag {release.version}, or one of this same release, found another content; "
        "push to another repository"
    )


def _upload(api: HfApi, release: Release, repository: str) -> list[CommitOperationAdd]:
    """Every file of the release, the large ones sent."""
    from huggingface_hub import CommitOperationAdd

    files = {name: release.path / name for name in [*release.manifest.files, MANIFEST]}
    if (signature := signature_path(release.path)).is_file():
        files[SIGNATURE_FILE] = signature
    additions = []
    for name, path in files.items():
        print(f"  {name}  {path.stat().st_size:,} bytes", file=sys.stderr, flush=True)
        additions.append(CommitOperationAdd(name, str(path)))
        try:
            api.preupload_lfs_files(repository, additions[-1:])
        except ValueError as error:  # how the client says that single files were refused
            raise NoPermission(f"{repository}: the Hub does not take {name} ({one_line(error)})") from None
    return additions


def _commit(api: HfApi, release: Release, repository: str, additions: list[CommitOperationAdd]) -> str:
    """The commit that holds the release and no file of another."""
    from huggingface_hub import CommitOperationDelete

    names = {addition.path_in_repo for addition in additions}
    others = [name for name in api.list_repo_files(repository) if name not in {*names, HUB_FILE}]
    operations = [*additions, *(CommitOperationDelete(name) for name in others)]
    digest = release.manifest.weights[:12]
    return api.create_commit(repository, operations, commit_message=f"kensa {release.version}, weights {digest}").oid
