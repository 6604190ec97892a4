"""The test Hub is held against the real clients: each test runs one in a child process.

The script below evaluates one expression and prints the outcome, or the exception's full name, as JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.fake_hub import Fault, Hub

pytestmark = pytest.mark.slow  # each client is a process of its own: its environment is read by imports

CLIENT = """
import hashlib, json, sys
from pathlib import Path
import huggingface_hub

def load(repo, **options):
    import datasets
    return {split: table.to_list() for split, table in datasets.load_dataset(repo, **options).items()}

def fetch(path, repo="acme/boards", kind="dataset"):
    return Path(huggingface_hub.hf_hub_download(repo, path, repo_type=kind)).read_bytes()

api = huggingface_hub.HfApi()
try:
    answer = eval(sys.argv[1])
except Exception as error:
    answer = f"{type(error).__module__}.{type(error).__qualname__}"
print(json.dumps(answer))
"""

ROWS = [{"x": 1, "y": 0.5}, {"x": 2, "y": 1.5}]
INFO = "api.dataset_info('acme/boards').sha"
ERRORS = "huggingface_hub.errors."


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """The rows as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def ask(hub: Hub, home: Path, expression: str, token: str = "") -> Any:
    """What a fresh client process makes of `expression`; its cache below `home` stays for the next one."""
    command = [sys.executable, "-c", CLIENT, expression]
    done = subprocess.run(command, env=hub.env(home, token), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def statuses(hub: Hub, method: str, match: str) -> list[int]:
    """How the requests of a method whose path holds `match` were answered, in order."""
    return [seen.status for seen in hub.requests if seen.method == method and match in seen.path]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A running Hub with one dataset of two rows."""
    with Hub() as running:
        running.commit("acme/boards", {"data/train.parquet": parquet(ROWS), "README.md": b"# Boards"})
        yield running


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("data/train-00000-of-00001.parquet", parquet(ROWS)),
        ("train.csv", b"x,y\n1,0.5\n2,1.5\n"),
        ("rows.jsonl", b'{"x": 1, "y": 0.5}\n{"x": 2, "y": 1.5}\n'),
    ],
)
def test_a_dataset_loads_at_its_sha(hub: Hub, tmp_path: Path, path: str, content: bytes) -> None:
    """The three kinds of file that Kensa takes."""
    sha = hub.commit("acme/plain", {path: content})
    assert ask(hub, tmp_path, f"load('acme/plain', revision='{sha}')") == {"train": ROWS}


def test_an_older_commit_still_loads(hub: Hub, tmp_path: Path) -> None:
    """A pinned revision is not what `main` is."""
    old = ask(hub, tmp_path, INFO)
    new = hub.commit("acme/boards", {"data/train.parquet": parquet(ROWS * 2)})
    assert new != old
    assert ask(hub, tmp_path, INFO) == new
    assert ask(hub, tmp_path / "old", f"load('acme/boards', revision='{old}')") == {"train": ROWS}
    assert ask(hub, tmp_path / "new", "load('acme/boards')") == {"train": ROWS * 2}


def test_commits_build_on_each_other() -> None:
    """Files stay unless replaced or given as None, and the same content again is still a new commit."""
    with Hub() as hub:
        first = hub.commit("acme/boards", {"a": b"1", "b": b"2"})
        second = hub.commit("acme/boards", {"b": None, "c": Path(__file__)})
        assert hub.files("acme/boards", first) == {"a": b"1", "b": b"2"}
        assert hub.files("acme/boards") == {"a": b"1", "c": Path(__file__).read_bytes()}
        assert hub.commit("acme/boards", {}) not in (first, second)


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("api.dataset_info('acme/nothing')", "RepositoryNotFoundError"),
        ("api.model_info('acme/boards')", "RepositoryNotFoundError"),
        ("fetch('README.md', 'acme/nothing')", "RepositoryNotFoundError"),
        ("api.dataset_info('acme/boards', revision='v9')", "RevisionNotFoundError"),
        ("api.snapshot_download('acme/boards', repo_type='dataset', revision='0' * 40)", "RevisionNotFoundError"),
        ("fetch('nothing.csv')", "RemoteEntryNotFoundError"),
    ],
)
def test_what_is_not_there_has_the_clients_own_error(hub: Hub, tmp_path: Path, expression: str, error: str) -> None:
    """Repository, revision and file are told apart."""
    assert ask(hub, tmp_path, expression) == ERRORS + error


def test_a_vanished_revision_is_unknown(hub: Hub, tmp_path: Path) -> None:
    """`main` falls back to the commit before."""
    before = ask(hub, tmp_path, INFO)
    gone = hub.commit("acme/boards", {"more.csv": b"x\n1\n"})
    hub.vanish("acme/boards", gone)
    assert ask(hub, tmp_path, f"api.dataset_info('acme/boards', revision='{gone}')") == ERRORS + "RevisionNotFoundError"
    assert ask(hub, tmp_path, INFO) == before


def test_a_gated_dataset_shows_its_facts_only(hub: Hub, tmp_path: Path) -> None:
    """As on the Hub: the sha is open to all, the files are not."""
    hub.gated("acme/boards", token="hf_granted")
    assert ask(hub, tmp_path, "api.dataset_info('acme/boards').gated") == "auto"
    assert ask(hub, tmp_path, "fetch('README.md')") == ERRORS + "GatedRepoError"
    assert ask(hub, tmp_path, "fetch('README.md')", token="hf_other") == ERRORS + "GatedRepoError"
    assert ask(hub, tmp_path, "api.auth_check('acme/boards', repo_type='dataset')") == ERRORS + "GatedRepoError"
    assert ask(hub, tmp_path, "load('acme/boards')") == "datasets.exceptions.DatasetNotFoundError"
    assert statuses(hub, "HEAD", "README.md") == [401, 403, 401]
    assert ask(hub, tmp_path, "fetch('README.md').decode()", token="hf_granted") == "# Boards"


def test_a_private_dataset_needs_its_token(hub: Hub, tmp_path: Path) -> None:
    """The token that came is known to the test, but no failed assertion would print it."""
    hub.private("acme/boards", token="hf_x")
    assert ask(hub, tmp_path, INFO) == ERRORS + "RepositoryNotFoundError"
    assert ask(hub, tmp_path, INFO, token="hf_other") == ERRORS + "RepositoryNotFoundError"
    assert statuses(hub, "GET", "/api/datasets") == [401, 404]
    assert not hub.saw_token("hf_x")
    assert ask(hub, tmp_path, "load('acme/boards')", token="hf_x") == {"train": ROWS}
    assert hub.saw_token("hf_x", match="train.parquet")
    assert "hf_x" not in repr(hub.requests)


def test_two_503_are_waited_out(hub: Hub, tmp_path: Path) -> None:
    """The client asks again by itself for a file that it does not have."""
    hub.faults.append(Fault("README.md", status=503, times=2, headers={"Retry-After": "0"}))
    assert ask(hub, tmp_path, "fetch('README.md').decode()") == "# Boards"
    assert statuses(hub, "HEAD", "README.md") == [503, 503, 200]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_facts_are_asked_for_once(hub: Hub, tmp_path: Path, status: int) -> None:
    """`dataset_info` does not try again."""
    hub.faults.append(Fault("/api/datasets", status=status))
    assert ask(hub, tmp_path, INFO) == ERRORS + "HfHubHTTPError"
    assert statuses(hub, "GET", "/api/datasets") == [status]


@pytest.mark.parametrize(
    ("size", "cut", "answers"),
    [(5_000_000, 2_000_000, [200, 200]), (24_000_000, 15_000_000, [200, 206])],
    ids=["from the start", "by range"],
)
def test_a_cut_download_recovers(hub: Hub, tmp_path: Path, size: int, cut: int, answers: list[int]) -> None:
    """The client writes in pieces of 10 MiB, so a cut before the first is whole has nothing to go on from."""
    content = random.Random(0).randbytes(size)
    hub.commit("acme/boards", {"large.bin": content})
    hub.faults.append(Fault("large.bin", method="GET", cut_after=cut))
    assert ask(hub, tmp_path, "hashlib.sha256(fetch('large.bin')).hexdigest()") == hashlib.sha256(content).hexdigest()
    assert statuses(hub, "GET", "large.bin") == answers


def test_a_wrong_length_is_noticed(hub: Hub, tmp_path: Path) -> None:
    """The size that HEAD promised is held against the file."""
    hub.faults.append(Fault("README.md", method="HEAD", length=5))
    assert ask(hub, tmp_path, "fetch('README.md')") == "builtins.OSError"


def test_a_wrong_etag_is_sent(hub: Hub, tmp_path: Path) -> None:
    """The client believes it: content is not checked against it."""
    hub.faults.append(Fault("README.md", times=2, etag="f" * 40))
    assert ask(hub, tmp_path, "fetch('README.md').decode()") == "# Boards"
    assert [blob.name for blob in tmp_path.glob("hub/*/blobs/*")] == ["f" * 40]


def test_a_late_answer_runs_into_the_clients_timeout(hub: Hub, tmp_path: Path) -> None:
    """`dataset_info` waits for ever unless told otherwise."""
    hub.faults.append(Fault("/api/datasets", delay=1.0))
    assert ask(hub, tmp_path, "api.dataset_info('acme/boards', timeout=0.3).sha") == "httpx2.ReadTimeout"


def test_an_uploaded_folder_comes_back(hub: Hub, tmp_path: Path) -> None:
    """Create, upload, replace and delete, as a release is published."""
    folder = tmp_path / "release"
    (folder / "model").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "model" / "weights.npz").write_bytes(bytes(range(256)) * 50)
    upload = f"api.upload_folder(repo_id='acme/model', folder_path={str(folder)!r}, delete_patterns='*').oid"
    assert ask(hub, tmp_path, "api.create_repo('acme/model')") == ERRORS + "HfHubHTTPError"
    assert ask(hub, tmp_path, "api.create_repo('acme/model').repo_id", token="hf_x") == "acme/model"
    assert ask(hub, tmp_path, "api.create_repo('acme/model', exist_ok=True).repo_id", token="hf_x") == "acme/model"
    assert ask(hub, tmp_path, upload) == ERRORS + "RepositoryNotFoundError"
    first = ask(hub, tmp_path, upload, token="hf_x")
    assert ask(hub, tmp_path, upload, token="hf_x") == first  # nothing changed, so nothing is committed
    expected = {"README.md": b"---\nlicense: mit\n---\n", "model/weights.npz": bytes(range(256)) * 50}
    assert {".gitattributes": b"", **expected} == hub.files("acme/model", first, kind="models")
    weights = "hashlib.sha256(fetch('model/weights.npz', 'acme/model', 'model')).hexdigest()"
    assert ask(hub, tmp_path, weights) == hashlib.sha256(expected["model/weights.npz"]).hexdigest()
    (folder / "model" / "weights.npz").rename(folder / "other.npz")
    assert ask(hub, tmp_path, upload, token="hf_x") != first
    assert sorted(hub.files("acme/model", kind="models")) == [".gitattributes", "README.md", "other.npz"]


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("api.list_repo_files('acme/boards', repo_type='dataset')", ["README.md", "data/train.parquet"]),
        ("[item.path for item in api.list_repo_tree('acme/boards', repo_type='dataset')]", ["README.md", "data"]),
        ("[i.path for i in api.get_paths_info('acme/boards', ['data', 'no'], repo_type='dataset')]", ["data"]),
        ("[ref.name for ref in api.list_repo_refs('acme/boards', repo_type='dataset').branches]", ["main"]),
        ("huggingface_hub.HfFileSystem().read_bytes('datasets/acme/boards/README.md', 2, 5).decode()", "Boa"),
        ("api.whoami()['name']", "acme"),
    ],
)
def test_the_smaller_questions_are_answered(hub: Hub, tmp_path: Path, expression: str, answer: Any) -> None:
    """Listings, references, a range of a file, and who is asking."""
    assert ask(hub, tmp_path, expression, token="hf_x") == answer
