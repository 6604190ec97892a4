"""Decisions leave as one commit, one pull request, or a table beside a folder's own; nothing is lost or doubled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import inspected_parts as parts
from support.decided import decision
from support.fake_hub import Fault, Hub
from support.project import ROOT

from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting, NothingToPublish
from tasks.data.listing import DECIDED_FILE
from tasks.registry.champion import promote
from tasks.registry.journal import JOURNAL_FILE
from tasks.registry.journal_events import full_journal
from tasks.review.decisions import decide, unpublished
from tasks.review.publishing import publish_labels, require_publishable
from tasks.sources.decided_labels import DecidedLabel, read_decided, write_decided

SATO = Authorship("M. Sato")
PUBLISH = """
import json, sys
from pathlib import Path
from tasks.core.authorship import Authorship
from tasks.core.errors import KensaError
from tasks.review.publishing import publish_labels
try:
    result = publish_labels(Path(sys.argv[1]), sys.argv[2], Authorship("M. Sato"), sys.argv[3] == "pr")
    print(json.dumps(result.as_json()))
except KensaError as error:
    print(json.dumps({"error": str(error)}))
"""


@pytest.fixture
def line(tmp_path) -> Path:
    """A line with a champion, on whose parts two people decided."""
    artifacts = tmp_path / "artifacts"
    parts.release(artifacts, "v1")
    promote(artifacts, "v1")
    decide(artifacts, decision(1), known=0)
    decide(artifacts, decision(2, by="K. Ito", picked="random"), known=0)
    return artifacts


@pytest.fixture
def folder(tmp_path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "parts.csv").write_text("data0,label,fmode\n1,0,good\n")
    return source


@pytest.fixture
def hub():
    with Hub() as running:
        running.commit("acme/boards", {"parts.csv": b"data0,label,fmode\n1,0,good\n"})
        yield running


def publish(hub: Hub, line: Path, home: Path, how: str = "commit", source: str = "acme/boards", token: str = "hf_x"):
    """What the real client makes of it, in a process that has the Hub's address."""
    env = hub.env(home, token) | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", PUBLISH, str(line), source, how]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def on_hub(hub: Hub, tmp_path: Path, content: bytes | None = None) -> list[DecidedLabel]:
    path = tmp_path / "read.parquet"
    path.write_bytes(content or hub.files("acme/boards")[DECIDED_FILE])
    return read_decided(path)


def test_a_folder_gets_the_table_and_the_journal_tells_it(line, folder):
    result = publish_labels(line, str(folder), SATO)
    assert (result.status, result.labels, result.where) == ("published", 2, str(folder / DECIDED_FILE))
    labels = read_decided(folder / DECIDED_FILE)
    assert [(one.part, one.by, one.picked) for one in labels] == [
        ("SN-1", "M. Sato", "chosen"),
        ("SN-2", "K. Ito", "random"),
    ]
    entry = full_journal(line).entries[-1]
    assert (entry.event, entry.subject, entry.facts["labels"]) == ("labels published", str(folder), 2)
    assert entry.why == "2 labels decided by K. Ito, M. Sato"
    assert unpublished(line) == []
    assert sorted(path.name for path in (folder / ".kensa").iterdir()) == ["labels.parquet"]


def test_later_decisions_are_merged_with_those_before(line, folder):
    publish_labels(line, str(folder), SATO)
    with pytest.raises(NothingToPublish, match=r"expected decisions that .* lacks, found none"):
        publish_labels(line, str(folder), SATO)
    decide(line, decision(1, mode="scratch", was_mode="dent"), known=1)
    decide(line, decision(3), known=0)
    assert publish_labels(line, str(folder), SATO).labels == 2
    labels = {one.part: one for one in read_decided(folder / DECIDED_FILE)}
    assert {part: one.mode for part, one in labels.items()} == {"SN-1": "scratch", "SN-2": "dent", "SN-3": "dent"}
    assert labels["SN-1"].was_mode == "scratch", "what the source said first"


def test_a_process_killed_before_the_journal_doubles_nothing(line, folder):
    journal, head = (line / JOURNAL_FILE).read_bytes(), (line / "journal-head.json").read_bytes()
    publish_labels(line, str(folder), SATO)
    table = (folder / DECIDED_FILE).read_bytes()
    (line / JOURNAL_FILE).write_bytes(journal)
    (line / "journal-head.json").write_bytes(head)
    again = publish_labels(line, str(folder), SATO)
    assert (again.status, again.labels) == ("unchanged", 2)
    assert (folder / DECIDED_FILE).read_bytes() == table
    assert unpublished(line) == []


@pytest.mark.slow
def test_one_commit_on_the_hub(line, hub, tmp_path):
    before = len(hub._repos["datasets", "acme/boards"].commits)
    told = publish(hub, line, tmp_path / "home")
    assert (told["status"], told["labels"]) == ("published", 2)
    commits = hub._repos["datasets", "acme/boards"].commits
    assert (len(commits), told["where"]) == (before + 1, list(commits)[-1])
    assert [one.part for one in on_hub(hub, tmp_path)] == ["SN-1", "SN-2"]
    assert hub.files("acme/boards")["parts.csv"] == b"data0,label,fmode\n1,0,good\n"
    assert "error" in publish(hub, line, tmp_path / "home"), "there is nothing left to publish"


def test_a_pull_request_changes_nothing_by_itself(line, hub, tmp_path):
    told = publish(hub, line, tmp_path / "home", "pr")
    assert told["where"].endswith("/datasets/acme/boards/discussions/1")
    (proposal,) = hub.proposals("acme/boards")
    assert proposal.title == "2 labels decided by K. Ito, M. Sato"
    assert [one.part for one in on_hub(hub, tmp_path, proposal.changes[DECIDED_FILE])] == ["SN-1", "SN-2"]
    assert DECIDED_FILE not in hub.files("acme/boards")


def test_labels_of_somebody_else_stay(line, hub, tmp_path):
    """Another line published to the same dataset; and one that does so meanwhile is waited for."""
    write_decided(tmp_path / "theirs.parquet", [decision(9, by="B. Kim").as_label()])
    hub.commit("acme/boards", {DECIDED_FILE: tmp_path / "theirs.parquet"})
    hub.faults.append(Fault("/commit/", method="POST", status=412))
    told = publish(hub, line, tmp_path / "home")
    assert told["status"] == "published"
    assert [one.part for one in on_hub(hub, tmp_path)] == ["SN-9", "SN-1", "SN-2"]


@pytest.mark.slow
def test_what_the_hub_refuses_is_one_line_and_the_decisions_stay(line, hub, tmp_path):
    hub.faults.append(Fault("/commit/", method="POST", status=412, times=2))
    assert "acme/boards" in publish(hub, line, tmp_path / "home")["error"]
    assert "HF_TOKEN" in publish(hub, line, tmp_path / "home", token="")["error"]
    assert len(unpublished(line)) == 2
    assert DECIDED_FILE not in hub.files("acme/boards")


@pytest.mark.parametrize(
    ("source", "pull_request"),
    [
        *[(name, False) for name in ("demo", "parts.csv", "s3://factory/boards", "acme/a; acme/b")],
        *[(f"acme/boards@{'c' * 40}", False), ("acme/boards@v2", True), ("hf://datasets/acme/boards/front", False)],
    ],
)
def test_other_sources_take_no_labels(source, pull_request):
    with pytest.raises(BadSetting, match="expected"):
        require_publishable(source, pull_request)


def test_a_folder_takes_no_pull_request(folder):
    with pytest.raises(BadSetting, match="expected a dataset of the Hub for a pull request, found a folder"):
        require_publishable(str(folder), pull_request=True)
