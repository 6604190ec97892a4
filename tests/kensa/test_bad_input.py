"""Bad input of every kind: one clear line, exit code 2, no traceback, nothing half-written."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import Done
from support.fake_hub import Hub
from support.inspected_parts import Parts, inspected, map_column, wide_records

from kensa.cli.main import main

NOBODY = "http://127.0.0.1:9"


def frozen(place):
    """Every file of the artifacts folder, to see that none was touched."""
    folder = place.folder / "artifacts"
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")}


def refused(place, done, *said, code=2, before=None):
    """What every refusal has in common; returns its one line. `said` must all be in it, in order."""
    assert "Traceback" not in done.err
    assert done.code == code, done.err
    assert done.out == ""
    [line] = [line for line in done.err.splitlines() if line.startswith("kensa: ")]
    assert line == done.err.splitlines()[-1] or "temporary server" in done.err
    rest = line
    for words in said:
        assert words in rest, line
        rest = rest.partition(words)[2]
    assert place.left_over() == []
    assert frozen(place) == (before or {})
    return line


def at_once(place, *words, said, **env):
    """A refusal for which Prefect is not even imported."""
    done = place.kensa(*words, small=False, imports=True, **env)
    refused(place, done, *said)
    assert done.err.count("\n") == 1
    assert not {"prefect", "tensorflow", "keras"} & done.imported
    assert not (place.folder / "home" / "prefect").exists()
    assert done.seconds < 10


WORDS = {
    "unknown command": (["frobnicate"], ["no such command 'frobnicate'", "kensa --help"]),
    "no command": ([], ["COMMAND", "kensa --help"]),
    "unknown option": (["retrain", "--epochs", "3"], ["expected an option of kensa retrain, found --epochs", "--help"]),
    "option without its value": (
        ["retrain", "--train"],
        ["--train: expected a value, found none", "kensa retrain --help"],
    ),
    "unknown setting": (["retrain", "--set", "fit.epoch=3"], ["fit.epoch", "unknown setting", "fit.epochs"]),
    "setting out of bounds": (["retrain", "--set", "fit.epochs=0"], ["fit.epochs", "expected at least 1", "found 0"]),
    "setting that is no number": (["retrain", "--set", "fit.margin=nan"], ["fit.margin", "expected", "found nan"]),
    "setting of the wrong type": (["retrain", "--set", "fit.epochs=many"], ["expected int", "found 'many'"]),
    "setting that is no choice": (
        ["retrain", "--set", "fit.distance=l1"],
        ["expected euclidean, squared-euclidean, cosine, snr, rt, or module:name", "found 'l1'"],
    ),
    "setting without a value": (["retrain", "--set", "fit.epochs"], ["expected key=value", "fit.epochs=5"]),
    "widths that are no numbers": (["retrain", "--set", "tower.widths=64-x"], ["512-256-128", "found '64-x'"]),
    "option given as a setting": (["retrain", "--set", "train=acme/boards"], ["expected it as an option", "--help"]),
    "unknown preset": (
        ["retrain", "--preset", "bets"],
        ["--preset: expected best or rt or notebook", "found 'bets'"],
    ),
    "source that is neither": (["retrain", "--train", "a/b/c"], ["a/b/c: expected org/name", "found no such folder"]),
    "source that is one word": (["retrain", "--train", "boards"], ["boards: expected org/name", "no such folder"]),
    "test source that is neither": (["retrain", "--test", "boards"], ["boards: expected org/name", "no such folder"]),
    "source that is a file": (
        ["retrain", "--train", "note.txt"],
        ["note.txt: expected parquet", "or zip files, found note.txt"],
    ),
    "folder without tables": (["retrain", "--train", "empty"], ["empty: expected a folder with parquet", "found none"]),
    "unwritable data": (["retrain", "--data", "note.txt/data"], ["note.txt/data: expected a folder", "--data"]),
    "unwritable artifacts": (
        ["retrain", "--artifacts", "note.txt/a"],
        ["note.txt/a: expected a folder", "--artifacts"],
    ),
    "sweep of nothing": (["sweep"], ["--grid: expected at least one setting", "--grid fit.margin=0.2,0.4"]),
    "sweep of an unknown setting": (["sweep", "--grid", "fit.margni=1,2"], ["--grid fit.margni", "did you mean"]),
    "sweep of a wrong value": (["sweep", "--grid", "fit.margin=1,x"], ["--grid fit.margin=x", "found 'x'"]),
    "sweep of a range without steps": (["sweep", "--grid", "fit.margin=1..2"], ["fit.margin=1..2:5", "--random N"]),
    "sweep of the judgement": (["sweep", "--grid", "split.seed=1,2"], ["--grid split.seed", "not be comparable"]),
    "sweep of seeds": (["sweep", "--grid", "seed=1,2"], ["--grid seed", "--seeds N"]),
    "sweep by no figure": (
        ["sweep", "--grid", "fit.margin=1", "--figure", "loss"],
        ["--figure: expected auroc or ", "found 'loss'"],
    ),
    "sweep with a setting twice": (
        ["sweep", "--grid", "fit.margin=1,2", "--set", "fit.margin=3"],
        ["--grid fit.margin", "found it in both"],
    ),
    "sweep with workers of its own and a cluster": (
        ["sweep", "--grid", "fit.margin=1", "--workers", "2", "--dask", "tcp://127.0.0.1:9"],
        ["--workers", "without --dask"],
    ),
    "sweep on no address": (
        ["sweep", "--grid", "fit.margin=1", "--dask", "localhost"],
        ["--dask localhost", "tcp://127.0.0.1:8786"],
    ),
    "sweep on a cluster without a server": (
        ["sweep", "--grid", "fit.margin=1", "--dask", "tcp://127.0.0.1:9"],
        ["PREFECT_API_URL: expected the address of a Prefect server, found none"],
    ),
    "score on no address": (
        ["score", "demo", "--dask", "local:none"],
        ["--dask local:none", "tcp://127.0.0.1:8786, or local:2"],
    ),
    "a line's work on no address": (
        ["retrain", "--set", "engine.dask=localhost"],
        ["engine.dask localhost", "tcp://127.0.0.1:8786, or local:2"],
    ),
    "folds on no address": (
        ["retrain", "--set", "evaluate.dask=localhost"],
        ["evaluate.dask localhost", "tcp://127.0.0.1:8786"],
    ),
    "folds on a cluster without a server": (
        ["retrain", "--set", "evaluate.unseen=true", "--set", "evaluate.dask=tcp://127.0.0.1:9"],
        ["PREFECT_API_URL: expected the address of a Prefect server, found none"],
    ),
    "sweep into no folder": (
        ["sweep", "--grid", "fit.margin=1", "--out", "note.txt/a"],
        ["note.txt/a: expected a folder"],
    ),
    "settings file that is none": (
        ["retrain", "--settings", "absent.toml"],
        ["--settings absent.toml: cannot be read"],
    ),
    "settings file of another kind": (["retrain", "--settings", "note.txt"], ["--settings note.txt: cannot be read"]),
    "sweep of no source": (
        ["sweep", "--grid", "fit.margin=1", "--train", "a/b/c"],
        ["a/b/c: expected org/name", "found no such folder"],
    ),
    "promotion of an unknown release": (["promote", "v9"], ["v9: no such release", "none yet"]),
    "number out of bounds": (
        ["prune", "--keep=-1"],
        ["--keep: expected a number greater than or equal to 0, found '-1'", "kensa prune --help"],
    ),
    "number that is none": (["prune", "--keep", "x"], ["--keep: expected a valid integer, found 'x'", "prune --help"]),
    "flag with a value": (["releases", "--json=yes"], ["--json: expected no value, found one", "releases --help"]),
    "a word too many": (["releases", "v1"], ["(v1)", "kensa releases --help"]),
    "unknown level of the log": (["releases", "--log-level", "loud"], ["--log-level: expected debug or", "'loud'"]),
    "promotion of nothing": (["promote"], ["VERSION: expected a value, found none", "kensa promote --help"]),
    "rollback without history": (["rollback"], ["expected an earlier champion", "found none"]),
}


@pytest.fixture
def beside(place):
    """A place with a file and an empty folder."""
    (place.folder / "note.txt").write_text("no folder")
    (place.folder / "empty").mkdir()
    return place


@pytest.mark.parametrize("case", WORDS)
def test_words(beside, case, monkeypatch, capsys):
    """In this process, for there are many; the libraries' settings that the command makes are undone."""
    words, said = WORDS[case]
    monkeypatch.chdir(beside.folder)
    with mock.patch.dict(os.environ, beside.env, clear=True), mock.patch.object(sys, "meta_path", sys.meta_path[:]):
        code = main(words)
    out, err = capsys.readouterr()
    refused(beside, Done(code, out, err, 0.0, frozenset()), *said)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "case",
    ["no command", "unknown setting", "source that is one word", "sweep of a wrong value", "promotion of nothing"],
)
def test_words_are_refused_before_anything_is_imported(beside, case):
    words, said = WORDS[case]
    at_once(beside, *words, said=said)


@pytest.mark.parametrize("command", [["retrain"], ["retrain", "--data", "note.txt/data"]], ids=["demo", "two mistakes"])
def test_a_prefect_server_that_is_not_there(place, command):
    (place.folder / "note.txt").write_text("no folder")
    said = ["note.txt/data"] if len(command) > 1 else [f"PREFECT_API_URL={NOBODY}/api", "no Prefect server answers"]
    at_once(place, *command, said=said, PREFECT_API_URL=f"{NOBODY}/api")


def test_an_address_that_is_none(place):
    at_once(place, "retrain", said=["PREFECT_API_URL=prefect", "no Prefect server answers"], PREFECT_API_URL="prefect")


def test_a_home_in_which_prefect_cannot_keep_its_database(place):
    """Prefect itself would wait 90 seconds for its server and end in a traceback."""
    note = place.folder / "note.txt"
    note.write_text("no folder")
    place.env["PREFECT_HOME"] = str(note / "prefect")
    at_once(place, "retrain", said=["PREFECT_HOME=", "expected a folder that can be written"])


@pytest.fixture(scope="module")
def hub():
    """A Hub with a private and a gated dataset."""
    file = io.BytesIO()
    pq.write_table(map_column(inspected()), file)
    with Hub() as running:
        for name in ("acme/boards", "acme/secret", "acme/gated"):
            running.commit(name, {"train.parquet": file.getvalue()})
        running.commit("acme/words", {"README.md": b"# No tables"})
        running.private("acme/secret", "hf_secret")
        running.gated("acme/gated", "hf_granted")
        yield running


HUB = {
    "unknown repository": ("acme/nothing", "", ["acme/nothing@main: no such dataset on the Hub", "check the name"]),
    "unknown revision": ("acme/boards@v9", "", ["acme/boards@v9: expected a branch, tag or commit", "found none"]),
    "private without a token": ("acme/secret", "", ["acme/secret@main: no such dataset", "or set HF_TOKEN"]),
    "private with another token": ("acme/secret", "hf_other", ["acme/secret@main: no such dataset", "HF_TOKEN"]),
}


@pytest.mark.parametrize("case", HUB)
def test_at_the_hub(hub, a_place, tmp_path, case):
    source, token, said = HUB[case]
    at_once(a_place(tmp_path / "place", hub.env(tmp_path, token)), "retrain", "--train", source, said=said)


@pytest.mark.slow
@pytest.mark.parametrize("token", ["", "hf_other"])
def test_a_gated_dataset(hub, a_place, tmp_path, server, token):
    """Its facts are open, so that only the download tells."""
    place = a_place(tmp_path / "place", {**hub.env(tmp_path, token), **server.env})
    done = place.kensa("retrain", "--train", "acme/gated")
    refused(place, done, "acme/gated@", "the dataset is gated", "set HF_TOKEN")
    assert [run["run_count"] for run in server.tasks(done.run_id) if run["name"].startswith("download")] == [1]


@pytest.mark.slow
def test_a_dataset_without_tables(hub, a_place, tmp_path, server):
    place = a_place(tmp_path / "place", {**hub.env(tmp_path), **server.env})
    refused(place, place.kensa("retrain", "--train", "acme/words"), "acme/words: expected parquet", "found none")


@pytest.mark.slow
def test_a_commit_that_was_never_downloaded_is_not_waited_for_offline(a_place, tmp_path, server):
    place = a_place(tmp_path / "place", {**server.env, "HF_HUB_OFFLINE": "1"})
    done = place.kensa("retrain", "--train", f"acme/boards@{'0' * 40}")
    refused(place, done, "HF_HUB_OFFLINE is set and its files are not on this machine", "go online once")
    assert "will start" not in done.err, "Prefect announces a retry with these words"


def written(table, name="train.parquet"):
    """The table as one file of a source."""
    file = io.BytesIO()
    if name.endswith(".parquet"):
        pq.write_table(table, file)
    else:
        table.to_pandas().to_csv(file, index=False)
    return {name: file.getvalue()}


def with_value(value):
    """Records of which the fourth holds `value`."""
    parts = inspected()
    parts.maps[3, 7] = value
    return written(wide_records(parts))


def renamed(old, new):
    """Records with a column of another name."""
    table = wide_records(inspected())
    return written(table.rename_columns([new if name == old else name for name in table.column_names]))


def texts():
    """A CSV file with words among its numbers."""
    table = wide_records(inspected()).to_pandas().astype({"data3": object})
    table.loc[5, "data3"] = "broken sensor"
    return {"train.csv": table.to_csv(index=False).encode()}


def ragged():
    """Maps of different lengths."""
    table = map_column(inspected())
    maps = [values[: 20 - (row % 5 == 0)] for row, values in enumerate(table["map"].to_pylist())]
    return written(table.set_column(0, "map", pa.array(maps)))


def cut():
    """A Parquet file without its end."""
    return {name: content[: len(content) // 2] for name, content in written(wide_records(inspected())).items()}


def unlabelled():
    """Records without the column `label`."""
    return written(wide_records(inspected()).drop_columns("label"))


def all_bad():
    """Records without a good one."""
    parts = inspected()
    return written(wide_records(Parts(parts.maps, parts.label + 1, parts.mode, parts.group)))


def one_mode():
    """Good parts and defects, all of one mode."""
    parts = inspected(modes=1)
    return written(wide_records(Parts(parts.maps, np.arange(len(parts)) % 2, parts.mode, parts.group)))


# files; the start of the table's failed row, or "" where no table can be made; what the line says
DATA = {
    "wrong column": (lambda: renamed("data5", "value5"), "columns present", ["missing data5", "rename the columns"]),
    "no label": (unlabelled, "columns present", ["missing label"]),
    "other columns altogether": (lambda: written(pa.table({"x": [1, 2]})), "columns present", ["missing data0"]),
    "NaN": (lambda: with_value(np.nan), "finite values", ["1 maps with NaN or infinite values", "row 3"]),
    "infinite": (lambda: with_value(np.inf), "finite values", ["1 maps with NaN or infinite values", "row 3"]),
    "text where numbers belong": (
        texts,
        "",
        ["train.csv: expected numbers in the columns of values", "'broken sensor'"],
    ),
    "zero rows": (lambda: written(wide_records(inspected()).slice(0, 0)), "", ["expected records", "without rows"]),
    "empty Parquet file": (lambda: {"train.parquet": b""}, "", ["train.parquet is no whole Parquet file"]),
    "empty CSV file": (lambda: {"train.csv": b""}, "", ["expected records", "csv files without rows"]),
    "truncated Parquet": (cut, "", ["train.parquet is no whole Parquet file"]),
    "no JSON": (lambda: {"train.jsonl": b'{"map": [1, 2\n'}, "", ["cannot be read as a table"]),
    "one mode": (one_mode, "two modes at least", ["1 with 3 records"]),
    "no good records": (all_bad, "good records", ["the label '0' (found: 1, 2)", "--set data.good="]),
    "maps of another size": (lambda: written(wide_records(inspected())), "columns present", ["5×5 = 25 values"]),
    "ragged lists": (ragged, "map sizes", ["maps that are not 4×5", "set data.rows and data.cols"]),
}


@pytest.fixture(scope="module")
def runs(a_place, server, tmp_path_factory):
    """The runs on unfit data, three at a time, and beside them the one that waits for a network."""
    with ThreadPoolExecutor(4) as pool:
        alone = a_place(tmp_path_factory.mktemp("alone") / "place", server.env)
        started = {"no network": (alone, pool.submit(alone.kensa, "retrain", "--train", "acme/boards"))}
        for case, (files, *_) in DATA.items():
            place = a_place(tmp_path_factory.mktemp("data") / "place", server.env)
            fill(place.folder / "set", files())
            size = ("--set", "data.rows=5") if case == "maps of another size" else ()
            started[case] = place, pool.submit(place.kensa, "retrain", "--train", "set", "--json", *size)
        yield started


def fill(folder, files):
    """Write a source's files."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("case", DATA)
def test_data(runs, case):
    (place, done), (_, check, said) = runs[case], DATA[case]
    done = done.result()
    refused(place, done, *said)
    if check:
        table = done.err.split("checks of set:\n")[1].splitlines()
        assert re.match(rf"  failed +{re.escape(check)}", table[0])
        assert all(line.startswith(("  failed", "  warning", "  ok", "kensa: ")) for line in table)
    assert [path for kind in ("cache/records-*", "stages/*") for path in (place.folder / "data").glob(kind)] == []


@pytest.mark.slow
def test_no_network(runs, server):
    """The one case that may pass by itself: the flow tries five times, within about half a minute."""
    place, done = runs["no network"]
    done = done.result()
    refused(place, done, "acme/boards@main: no answer from the Hub", "check the network and HF_ENDPOINT")
    [run] = server.tasks(done.run_id)
    assert run["run_count"] == 5
    assert run["state_type"] == "FAILED"


@pytest.mark.slow
def test_an_unfit_test_source_is_named(served):
    fill(served.folder / "good", written(wide_records(inspected())))
    fill(served.folder / "bad", with_value(np.nan))
    done = served.kensa("retrain", "--train", "good", "--test", "bad")
    refused(served, done, "bad cannot be", "finite values")


@pytest.fixture
def with_champion(a_place, boards, server, tmp_path):
    """A copy of the releases of acme/boards, and its dataset as a folder."""
    place = a_place(tmp_path / "place", server.env)
    shutil.copytree(boards.place.folder / "artifacts", place.folder / "artifacts")
    (place.folder / "set").mkdir()
    (place.folder / "set" / "train.parquet").write_bytes(
        boards.hub.files("acme/boards", boards.sha)["data/train.parquet"]
    )
    return place


@pytest.mark.slow
def test_a_champion_of_another_map_size(with_champion):
    before = frozen(with_champion)
    done = with_champion.kensa("retrain", "--train", "set", "--set", "data.rows=5", "--set", "data.cols=4")
    said = ["the champion v1 takes 4×5 maps", "this run has 5×4", "another --artifacts folder"]
    refused(with_champion, done, *said, before=before)


@pytest.mark.slow
def test_a_damaged_champion(with_champion):
    """A failure of what is kept rather than of what came in."""
    model = with_champion.folder / "artifacts" / "releases" / "v1" / "model.keras"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    before = frozen(with_champion)
    for words in (["retrain", "--train", "set"], ["promote", "v1"]):
        done = with_champion.kensa(*words)
        said = ["releases/v1: a file differs from the digest in its manifest", "restore it, or promote another"]
        refused(with_champion, done, *said, code=1, before=before)


@pytest.mark.slow
def test_a_split_that_the_dataset_has_not(with_champion):
    before = frozen(with_champion)
    done = with_champion.kensa("retrain", "--train", "set", "--set", "data.part=night")
    refused(with_champion, done, "expected the split night", "found train", "--set data.part=", before=before)


@pytest.mark.slow
def test_an_artifacts_folder_that_cannot_be_written_is_found_before_training(with_champion):
    """With a server too, where the command leaves the decision to the flow."""
    done = with_champion.kensa("retrain", "--train", "set", "--artifacts", "set/train.parquet/artifacts")
    line = refused(with_champion, done, "expected a folder that can be written", before=frozen(with_champion))
    assert "set/train.parquet/artifacts" in line
    assert "epoch" not in done.err


def test_a_pointer_that_is_no_json(place):
    (place.folder / "artifacts").mkdir()
    (place.folder / "artifacts" / "champion.json").write_text(json.dumps({"champion": "v1"})[:-3])
    done = place.kensa("releases")
    refused(place, done, "champion.json: expected JSON", "promote a release", code=1, before=frozen(place))
