"""`kensa retrain` against a Hub-shaped server: the real command, the real clients, a real Prefect server."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.fake_hub import Hub
from support.inspected_parts import map_column, wide_records
from support.project import SHARED

ONE_EPOCH = ("--set", "fit.epochs=1")
REAL = SHARED / "data" / "deeppcb_dev_records.parquet"
PROMISED = {"status", "release", "path", "train", "metrics", "champion"}


def parquet(table):
    """The table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def csv(table):
    """The table as a CSV file."""
    return table.to_pandas().to_csv(index=False).encode()


def arrow(table):
    """The table as an Arrow file."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def manifest_of(place, done):
    """The manifest of the release or draft that a run ended in."""
    return json.loads((place.folder / done.told["path"] / "manifest.json").read_text())


def report_of(place, done):
    """Its report.json."""
    return json.loads((place.folder / done.told["path"] / "report.json").read_text())


def concluded(done):
    """Whether the run ended as it may: in a release, or in a rejection that says why."""
    assert done.code == 0, done.err
    told = done.told
    assert told["status"] in ("released", "rejected")
    assert bool(told["release"]) is (told["status"] == "released")
    assert bool(told["reasons"]) is (told["status"] == "rejected")
    return told


@pytest.fixture
def hub():
    """An empty Hub of the test's own."""
    with Hub() as running:
        yield running


@pytest.fixture
def at_hub(hub, a_place, tmp_path, server):
    """A fresh folder that talks to the test's own Hub and to the session's Prefect server."""
    return a_place(tmp_path / "place", {**hub.env(tmp_path), **server.env})


@pytest.mark.slow
class TestTheFirstRun:
    """One run on acme/boards, looked at from all sides."""

    def test_stdout_is_one_json_object_with_what_was_promised(self, boards):
        told = concluded(boards.first)
        assert boards.first.out.count("\n") == 1
        assert set(told) >= PROMISED
        assert told["status"] == "released", told["reasons"]
        assert told["release"] == told["champion"] == "v1"
        source = {name: told["train"][name] for name in ("source", "revision", "records", "modes")}
        assert source == {"source": "acme/boards", "revision": boards.sha, "records": 600, "modes": 3}
        assert told["train"]["triplets"] > 600
        assert all(isinstance(value, int | float) for value in told["metrics"].values())

    def test_progress_goes_to_stderr(self, boards):
        assert len(re.findall(r"epoch +\d+/15  loss \d", boards.first.err)) >= 5

    def test_the_release_is_complete_and_its_manifest_names_the_sha(self, boards):
        folder, manifest = boards.place.folder / boards.first.told["path"], manifest_of(boards.place, boards.first)
        assert manifest["train"]["revision"] == boards.sha
        assert manifest["train"]["source"] == "acme/boards"
        named = {"model.keras", "anchors.npz", "threshold.json", "report.html", "report.json", "README.md"}
        assert named <= set(manifest["files"])
        for name, digest in manifest["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
        assert set(manifest["stages"]) == {"cache", "triplets", "model", "report"}
        assert manifest["config"]["seed"] == 42
        assert manifest["packages"]["keras"]

    def test_the_card_names_dataset_and_revision(self, boards):
        card = (boards.place.folder / boards.first.told["path"] / "README.md").read_text()
        assert card.startswith("---\n")
        assert "acme/boards" in card
        assert boards.sha in card

    def test_nothing_half_written_is_left(self, boards):
        assert boards.place.left_over() == []

    def test_everything_was_asked_for_by_its_commit(self, boards):
        files = [seen.path for seen in boards.hub.requests if "/resolve/" in seen.path and "boards" in seen.path]
        assert files
        assert all(f"/resolve/{boards.sha}/" in path for path in files)


@pytest.mark.slow
class TestTheSecondRun:
    """Nothing changed, so nothing is done."""

    @pytest.mark.parametrize(
        "words",
        [
            ("--train", "acme/boards"),
            ("--train", "acme/boards@{sha}"),
            ("--train", "acme/boards", "--revision", "{sha}"),
        ],
        ids=["head", "pinned", "revision"],
    )
    def test_says_unchanged_without_tensorflow_and_prefect(self, boards, words):
        words = [word.format(sha=boards.sha) for word in words]
        done = boards.place.kensa("retrain", *words, "--json", imports=True, PREFECT_API_URL=None)
        assert done.code == 0, done.err
        first = boards.first.told
        assert done.told == {**first, "status": "unchanged"}
        tops = {name.partition(".")[0] for name in done.imported}
        assert "huggingface_hub" in tops
        assert not tops & {"tensorflow", "keras", "prefect", "datasets", "matplotlib", "sklearn", "pandas"}
        assert done.seconds < 10

    def test_says_unchanged_on_the_server_too(self, boards):
        done = boards.place.kensa("retrain", "--train", "acme/boards", "--json")
        assert done.told == {**boards.first.told, "status": "unchanged"}

    def test_needs_no_network_when_offline_is_asked_for(self, boards):
        before = len(boards.hub.requests)
        done = boards.place.kensa(
            "retrain", "--train", "acme/boards", "--json", HF_HUB_OFFLINE="1", PREFECT_API_URL=None
        )
        assert done.told["status"] == "unchanged", done.err
        assert len(boards.hub.requests) == before

    def test_trains_offline_on_what_was_downloaded(self, boards):
        """Another seed is another run, of the same files."""
        before = len(boards.hub.requests)
        words = ("retrain", "--train", "acme/boards", "--json", "--set", "seed=7", *ONE_EPOCH)
        done = boards.place.kensa(*words, HF_HUB_OFFLINE="1")
        concluded(done)
        assert manifest_of(boards.place, done)["train"]["revision"] == boards.sha
        assert len(boards.hub.requests) == before


@pytest.mark.slow
def test_offline_without_an_earlier_run_says_so_at_once(hub, a_place, tmp_path, hidden):
    """Trying again cannot help, so nothing waits."""
    place = a_place(tmp_path / "place", hub.env(tmp_path))
    hub.commit("acme/boards", {"train.parquet": parquet(map_column(hidden(20)))})
    done = place.kensa("retrain", "--train", "acme/boards", HF_HUB_OFFLINE="1")
    assert done.code == 2, done.err
    assert done.err.startswith("kensa: acme/boards@main: HF_HUB_OFFLINE is set and no earlier run saw this revision")
    assert done.seconds < 10
    assert hub.requests == []


@pytest.mark.slow
def test_a_new_commit_is_retrained_and_compared_with_the_champion(boards, a_place, tmp_path, hidden):
    """In a copy of the first run's folders; the commit is taken out of the history again."""
    for name in ("data", "artifacts"):
        shutil.copytree(boards.place.folder / name, tmp_path / name)
    place = a_place(tmp_path, boards.place.env)
    sha = boards.hub.commit("acme/boards", {"data/train.parquet": parquet(map_column(hidden(220)))})
    try:
        done = place.kensa("retrain", "--train", "acme/boards", "--json")
    finally:
        boards.hub.vanish("acme/boards", sha)
    told = concluded(done)
    manifest = manifest_of(place, done)
    assert told["train"]["revision"] == manifest["train"]["revision"] == sha != boards.sha
    assert manifest["compared_with"] == "v1"
    assert told["champion"] == place.champion() == (told["release"] or "v1")
    comparison = report_of(place, done)["comparison"]
    assert comparison["version"] == "v1"
    assert comparison["impossible"] is None
    assert (comparison["champion_frozen"], comparison["frozen"]) == ("f1", "f2")
    assert manifest["frozen"]["version"] == "f2"
    assert told["status"] == "rejected" or comparison["figures"]["auroc"]["interval"][0] > 0
    assert told["comparison"] == report_of(place, done)["verdict"]


@pytest.mark.slow
def test_a_private_csv_repository_pinned_in_the_source_and_a_gated_arrow_test_source(hub, at_hub, hidden):
    """A token, a commit that is not the newest, and a test source half of which was trained on."""
    parts = hidden(240)
    train, overlap, fresh = parts.take(slice(600)), slice(540, 600), slice(600, 720)
    sha = hub.commit("acme/secret", {"train.csv": csv(wide_records(train))})
    hub.commit("acme/secret", {"train.csv": b"data0,label\n1,2\n"})
    hub.private("acme/secret", "hf_secret")
    later = hub.commit("acme/later", {"data/test.arrow": arrow(wide_records(parts.take(np.r_[overlap, fresh])))})
    hub.gated("acme/later", "hf_secret")
    words = ("retrain", "--train", f"acme/secret@{sha}", "--test", "acme/later", "--json", *ONE_EPOCH)
    refused = at_hub.kensa(*words, PREFECT_API_URL=None)
    assert refused.code == 2
    assert "no such dataset on the Hub, or a private one" in refused.err
    done = at_hub.kensa(*words, HF_TOKEN="hf_secret")
    told = concluded(done)
    assert told["train"]["revision"] == sha
    assert (told["train"]["records"], told["train"]["source_kind"]) == (600, "wide records")
    assert told["test"]["revision"] == manifest_of(at_hub, done)["test"]["revision"] == later
    data = report_of(at_hub, done)["data"]
    assert (data["test_in_train"], data["records"]["test"], told["metrics"]["records"]) == (60, 120, 120)
    assert hub.saw_token("hf_secret", "train.csv")
    everything = [path.read_bytes() for path in at_hub.folder.rglob("*") if path.is_file() and "home" not in path.parts]
    assert not any(b"hf_secret" in content for content in [*everything, done.out.encode(), done.err.encode()])


@pytest.fixture(scope="module")
def real():
    """The real boards' records: maps (n, 1404), label, fmode."""
    if not REAL.parent.exists():
        pytest.skip(f"real data: no folder {REAL.parent}; it is for research and stays out of the project")
    table = pq.read_table(REAL)
    maps = np.column_stack([table[f"data{i}"].to_numpy() for i in range(1404)])
    return table, maps, table["label"].to_numpy(), table["fmode"].to_numpy()


@pytest.mark.slow
def test_real_boards_as_records(hub, at_hub, real):
    """The raw map's figures agree with the table of shared/data/SOURCES.md within ±.05."""
    table, *_ = real
    sha = hub.commit("acme/boards", {"data/train.parquet": REAL})
    done = at_hub.kensa("retrain", "--train", "acme/boards", "--json", "--set", "fit.epochs=2", small=False)
    told = concluded(done)
    assert told["train"]["records"] <= table.num_rows
    assert told["train"]["modes"] == 10
    assert manifest_of(at_hub, done)["train"]["revision"] == sha
    raw = report_of(at_hub, done)["baselines"]
    euclidean, cosine = raw["raw map, euclidean"], raw["raw map, cosine"]
    assert euclidean["mode_accuracy"] == pytest.approx(0.568, abs=0.05)
    assert cosine["mode_accuracy"] == pytest.approx(0.509, abs=0.05)
    assert euclidean["auroc"] == pytest.approx(0.535, abs=0.05)
    assert cosine["auroc"] == pytest.approx(0.716, abs=0.05)


@pytest.mark.slow
def test_real_boards_as_wide_triplets(hub, at_hub, real):
    """4000 triplets with anchors over all records, as the notebook's dataset has them."""
    _, maps, label, mode = real
    rng = np.random.default_rng(0)
    positive, negative = rng.integers(0, len(maps), (2, 8000))
    pairs = np.column_stack([positive, negative])[mode[positive] != mode[negative]][:4000]
    means = np.stack([maps[mode == code].mean(axis=0) for code in range(10)])
    blocks = {"arch": means[mode[pairs[:, 0]]], "pos": maps[pairs[:, 0]], "neg": maps[pairs[:, 1]]}
    columns = {f"{name}{i}": block[:, i] for name, block in blocks.items() for i in range(1404)}
    for prefix, rows in (("p", pairs[:, 0]), ("n", pairs[:, 1])):
        columns |= {f"{prefix}label": label[rows], f"{prefix}mode": mode[rows]}
    sha = hub.commit("acme/triplets", {"data/train.parquet": parquet(pa.table(columns))})
    done = at_hub.kensa("retrain", "--train", "acme/triplets", "--json", "--set", "fit.epochs=2", small=False)
    told = concluded(done)
    assert told["train"]["source_kind"] == "wide triplets"
    assert told["train"]["records"] == len(np.unique(maps[np.unique(pairs)], axis=0))
    assert manifest_of(at_hub, done)["train"]["revision"] == sha
    data = report_of(at_hub, done)["data"]
    assert data["triplets_brought"] == 4000
    assert 0 < data["triplets_crossing"] < 4000
    assert data["brought_anchors"]["median_difference"] > 0
