"""How decisions reach the dataset: one commit or pull request on the Hub, or the table beside a folder's own.

Either makes a new revision of the source, which the watch or the schedule finds, and retrains on once.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, NothingToPublish
from tasks.core.files import digest_of, ensure_writable, replace_durably, sync_to_disk
from tasks.core.results import CommandResult
from tasks.core.stages import scratch_folder
from tasks.data.listing import DECIDED_FILE
from tasks.registry.champion import registry_lock
from tasks.registry.journal import Entry
from tasks.registry.journal_events import record, utc_now
from tasks.review.decisions import PUBLISHED, Decision, unpublished, write_down
from tasks.sources.address import hub_name, split_choice, split_sources
from tasks.sources.decided_labels import DecidedLabel, merge_decided, read_decided, write_decided
from tasks.sources.hub import DATASET, HubRepository, translate_hub_errors

WRITABLE = HubRepository(DATASET.noun, "write to this dataset", DATASET.offline, "publish again later", DATASET.missing)
CONFLICT = 412  # the Hub's answer where another commit came first


@dataclass(frozen=True)
class PublishResult(CommandResult):
    """status: `published`, or `unchanged` where the dataset had them already; labels: how many decisions.

    where: the commit, pull request or file.
    """

    status: str
    source: str
    labels: int
    where: str


def publish_labels(artifacts: Path, source: str, author: Authorship, pull_request: bool = False) -> PublishResult:
    """Bring the decisions that the dataset does not have to it, all at once, and write that into the journal.

    Raises NothingToPublish, BadSetting for a source that takes none, and what the Hub's client does. A process that is
    killed in between leaves the dataset with all of them or none; publishing again doubles nothing.
    """
    name = require_publishable(source, pull_request)
    write_down(artifacts)
    decisions = unpublished(artifacts)
    if not decisions:
        raise NothingToPublish(f"{artifacts}: expected decisions that {source} lacks, found none; review parts first")
    labels = [decision.as_label() for decision in decisions]
    if name is None:
        changed, where = _into_folder(Path(source), labels)
    else:
        changed, where = _onto_hub(*name, labels, _message(decisions), pull_request)
    _write_down(artifacts, decisions, source, where, author)
    return PublishResult("published" if changed else "unchanged", source, len(decisions), where)


def require_publishable(source: str, pull_request: bool = False) -> tuple[str, str] | None:
    """Name and branch of a dataset of the Hub, None for a folder; raises BadSetting for any other source."""
    sources = split_sources(source)
    if len(sources) == 1 and not split_choice(source)[1].text:
        if Path(source).is_dir():
            if pull_request:
                raise BadSetting(f"{source}: expected a dataset of the Hub for a pull request, found a folder")
            return None
        name, branch = hub_name(source), "main"
        if name is not None and not name.path:
            branch = name.revision or branch
            if pull_request and branch != "main":
                raise BadSetting(f"{source}: expected the branch main for a pull request, found {branch}")
            if not re.fullmatch("[0-9a-f]{40}", branch):
                return name.name, branch
    raise BadSetting(f"{source}: expected one folder or dataset of the Hub, which can take labels; copy the data there")


def _into_folder(folder: Path, labels: Sequence[DecidedLabel]) -> tuple[bool, str]:
    path = folder / DECIDED_FILE
    with scratch_folder(ensure_writable(path.parent), "labels") as draft:  # which also removes what a killed one left
        before = read_decided(path)
        merged = merge_decided(before, labels)
        if _same(before, merged):
            return False, str(path)
        write_decided(draft / path.name, merged)
        sync_to_disk(draft / path.name)
        replace_durably(draft / path.name, path)
    return True, str(path)


def _onto_hub(
    name: str, branch: str, labels: Sequence[DecidedLabel], message: str, pull_request: bool
) -> tuple[bool, str]:
    """One commit; where another one came first, the decisions are merged with its and sent once more."""
    from huggingface_hub import CommitOperationAdd, HfApi, errors

    api = HfApi()
    with translate_hub_errors(name, WRITABLE):
        for last_try in (False, True):
            head = api.dataset_info(name, revision=branch).sha
            before = _published_before(api, name, head)
            merged = merge_decided(before, labels)
            if _same(before, merged):
                return False, str(head)
            with tempfile.TemporaryDirectory() as draft:
                write_decided(Path(draft) / "labels.parquet", merged)
                content = (Path(draft) / "labels.parquet").read_bytes()
            try:
                commit = api.create_commit(
                    name,
                    [CommitOperationAdd(DECIDED_FILE, content)],
                    commit_message=message,
                    repo_type="dataset",
                    revision=branch,
                    parent_commit=head,
                    create_pr=pull_request,
                )
            except errors.HfHubHTTPError as error:
                if last_try or error.response is None or error.response.status_code != CONFLICT:
                    raise
                continue
            return True, str(commit.pr_url if pull_request else commit.oid)
    raise AssertionError("a second conflict is raised above")


def _published_before(api: object, name: str, head: str) -> list[DecidedLabel]:
    from huggingface_hub import errors

    try:
        path = api.hf_hub_download(name, DECIDED_FILE, repo_type="dataset", revision=head)
    except errors.RemoteEntryNotFoundError:
        return []
    return read_decided(Path(path))


def _same(before: Sequence[DecidedLabel], after: Sequence[DecidedLabel]) -> bool:
    def told(labels: Sequence[DecidedLabel]) -> set[tuple[object, ...]]:
        return {(one.key, one.label, one.mode, one.picked, one.by, one.when) for one in labels}

    return told(before) == told(after)


def _message(decisions: Sequence[Decision]) -> str:
    people = sorted({decision.by for decision in decisions})
    return f"{len(decisions)} labels decided by {', '.join(people)}"[:200]


def _write_down(artifacts: Path, decisions: Sequence[Decision], source: str, where: str, author: Authorship) -> None:
    through = max(decision.number for decision in decisions)
    seals = digest_of([decision.seal for decision in decisions])
    facts = {"labels": len(decisions), "through": through, "where": where, "digest": seals}
    values = {"when": utc_now(), "by": author.by, "why": author.why or _message(decisions), "run": author.run}
    entry = Entry(event=PUBLISHED, subject=source, key=f"{PUBLISHED} {through} {seals[:16]}", **values, facts=facts)
    with registry_lock(artifacts):
        record(artifacts, entry)
