"""One Parquet form of every source: exact, named by its content, verified, and all or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import inspected_parts as parts

from tasks.cache import cache
from tasks.config.run import DataConfig
from tasks.core.errors import UnfitData, UnusableFolder
from tasks.core.results import DownloadedSource, PinnedSource
from tasks.data.listing import DECIDED_FILE
from tasks.data.records import Records, maps_of, read_records
from tasks.download import download, resolve
from tasks.sources.decided_labels import CHOSEN, NEW_RANDOM, DecidedLabel, write_decided

TWIN = """
import sys
from pathlib import Path
from tasks.cache import cache
from tasks.config.run import DataConfig
from tasks.core.results import DownloadedSource, PinnedSource
import tasks.data.readers, datasets
folder, *data_folders = sys.argv[1:]
source = DownloadedSource(PinnedSource("s", "folder", folder, "r1"), folder)
for data in data_folders:
    print("ready", flush=True)
    sys.stdin.readline()
    print(cache(source, DataConfig(4, 5), Path(data)).stage.path, flush=True)
"""


@pytest.fixture
def part() -> parts.Parts:
    return parts.inspected(groups=6)


def maps_in(records: Records) -> np.ndarray:
    return np.concatenate(list(records.blocks()))


def contents(folder: Path) -> list[str]:
    """Every file and folder under `folder`, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_one_form(tmp_path, part):
    """Columns and types as the module says; every record once, values bit by bit."""
    cached_source = parts.cached(parts.wide_records(part.take([*range(36), 3, 4])), tmp_path)
    table = pq.read_table(Path(cached_source.stage.path) / "records.parquet")
    assert table.schema.names == ["record", "map", "label", "mode", "group", "id"]
    assert table["id"].to_pylist() == [f"table.parquet:{row}" for row in range(len(table))]
    assert table.schema.field("map").type == pa.list_(pa.field("item", pa.float32()), 20)
    assert table.schema.field("record").type == pa.binary(16)
    np.testing.assert_array_equal(maps_of(table["map"]), part.maps)
    assert table["mode"].to_pylist() == [str(mode) for mode in part.mode]
    assert table["group"].to_pylist() == part.group.tolist()
    facts = cached_source.stage.facts
    assert (facts["rows"], facts["records"], facts["source_kind"]) == (38, 36, "wide records")
    assert facts["modes"] == {"0": 12, "1": 12, "2": 12}
    assert facts["labels"] == {"0": 12, "1": 24}


def test_kinds_are_one_after_the_cache(tmp_path, part):
    pairs = np.concatenate([np.stack([np.arange(36), (np.arange(36) + 1) % 36], axis=1)])
    tables = (parts.map_column(part), parts.wide_records(part), parts.wide_triplets(part, pairs))
    read = [read_records(parts.cached(table, tmp_path / str(i)).stage.path) for i, table in enumerate(tables)]
    first = read[0]
    for other in read[1:]:
        order = np.argsort(other.hash)[np.argsort(np.argsort(first.hash))]
        np.testing.assert_array_equal(maps_in(other)[order], maps_in(first))
        for name in ("hash", "label", "mode", "group"):
            np.testing.assert_array_equal(getattr(other, name)[order], getattr(first, name))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_triplets_are_taken_apart_and_put_together_again(tmp_path, seed, part, monkeypatch):
    """Whatever the order, the repeats and the batches: the three files hold the input's every value."""
    monkeypatch.setattr("tasks.data.readers.BATCH_ROWS", 17)
    pairs = parts.pairs_within(part, np.zeros(36, int), 90, seed)
    table = parts.wide_triplets(part, pairs)
    folder = Path(parts.cached(table, tmp_path).stage.path)
    records, anchors, rows = (pq.read_table(folder / f"{name}.parquet") for name in ("records", "anchors", "triplets"))
    assert (records.num_rows, anchors.num_rows, rows.num_rows) == (len(np.unique(pairs)), 3, 90)
    for column, prefix, stored in (
        ("anchor", "arch", anchors),
        ("positive", "pos", records),
        ("negative", "neg", records),
    ):
        chosen = rows[column].to_numpy()
        values = np.stack([table[f"{prefix}{i}"].to_numpy() for i in range(20)], axis=1)
        np.testing.assert_array_equal(maps_of(stored["map"])[chosen], values)
        described = {"label": "label", "mode": "mode", "group": "group"} if prefix != "arch" else {"mode": "mode"}
        for name, suffix in described.items():
            texts = table[("p" if prefix == "arch" else prefix[0]) + suffix].to_pylist()
            assert [stored[name][i].as_py() for i in chosen.tolist()] == [str(value) for value in texts]


def test_arrays_of_the_datasets_library_are_maps(tmp_path, part):
    """What `Dataset.to_parquet` writes of an Array2D comes back as an extension type."""
    from datasets import Array2D, ClassLabel, Dataset, Features, Value

    features = Features({"map": Array2D((4, 5), "float32"), "label": Value("int64"), "fmode": ClassLabel(3)})
    rows = {"map": part.maps.reshape(-1, 4, 5).tolist(), "label": part.label.tolist(), "fmode": part.mode.tolist()}
    (tmp_path / "source").mkdir()
    Dataset.from_dict(rows, features).to_parquet(tmp_path / "source" / "table.parquet")
    source = DownloadedSource(PinnedSource("s", "folder", "", "r1"), str(tmp_path / "source"))
    cached_source = cache(source, parts.DATA, tmp_path / "data")
    records = read_records(cached_source.stage.path)
    np.testing.assert_array_equal(maps_in(records), part.maps)
    np.testing.assert_array_equal(records.mode[:], part.mode.astype(str))


def test_one_map_may_be_the_anchor_of_two_modes(tmp_path, part):
    table = parts.wide_triplets(part, parts.pairs_within(part, np.zeros(36, int), 60))
    same = {f"arch{i}": np.full(60, i, np.float32) for i in range(20)}
    table = pa.table({name: same.get(name, table[name]) for name in table.column_names})
    anchors = pq.read_table(Path(parts.cached(table, tmp_path).stage.path) / "anchors.parquet")
    assert sorted(anchors["mode"].to_pylist()) == ["0", "1", "2"]


def test_contradictory_records_are_marked(tmp_path):
    part = parts.inspected(each=20)
    twin = part.take([*range(60), 5])
    twin.mode[60] = 1
    records = read_records(parts.cached(parts.map_column(twin), tmp_path).stage.path)
    assert np.flatnonzero(records.contradictory).tolist() == [5]


def test_a_second_call_reuses(tmp_path, part, monkeypatch):
    table = parts.map_column(part)
    first = parts.cached(table, tmp_path)
    assert not first.stage.reused
    monkeypatch.setattr("tasks.cache.open_source", None)  # must not even be opened
    second = parts.cached(table, tmp_path)
    assert second.stage.reused
    assert replace(second.stage, reused=False) == first.stage
    assert second.findings == first.findings
    assert len(second.findings) > 8


def test_the_name_depends_on_content_settings_and_side(tmp_path, part):
    table, other = parts.map_column(part), parts.map_column(part.take(range(30)))
    named = DataConfig(rows=4, cols=5, group="lot")
    paths = [
        parts.cached(table, tmp_path).stage.path,
        parts.cached(other, tmp_path).stage.path,
        parts.cached(table, tmp_path, parts.configured(tmp_path, data=named)).stage.path,
        parts.cached(table, tmp_path, name="held-out").stage.path,
    ]
    assert len(set(paths)) == 4
    moved = parts.configured(tmp_path, artifacts_folder="elsewhere", seed=1)
    assert parts.cached(table, tmp_path, moved).stage.path == paths[0]


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "add", "manifest"])
def test_a_damaged_cache_is_set_aside_and_made_again(tmp_path, part, damage):
    table = parts.map_column(part)
    folder = Path(parts.cached(table, tmp_path).stage.path)
    file = folder / "records.parquet"
    whole = file.read_bytes()
    if damage == "flip":
        file.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    elif damage == "truncate":
        file.write_bytes(whole[:-1])
    elif damage == "remove":
        file.unlink()
    elif damage == "add":
        (folder / "more.txt").write_text("")
    else:
        (folder / "manifest.json").write_text("{")
    again = parts.cached(table, tmp_path)
    assert not again.stage.reused
    assert again.stage.path == str(folder)
    assert file.read_bytes() == whole
    assert [path.name for path in folder.parent.iterdir() if path != folder] == [f"{folder.name}.damaged"]
    assert parts.cached(table, tmp_path).stage.reused


@pytest.mark.slow
def test_two_processes_at_once_make_one_folder(tmp_path, part):
    """Where there is none yet, and where a damaged one is in the way."""
    source = parts.source(parts.map_column(part), tmp_path / "source").folder
    first = cache(DownloadedSource(PinnedSource("s", "folder", source, "r1"), source), parts.DATA, tmp_path / "damaged")
    (Path(first.stage.path) / "records.parquet").write_bytes(b"")
    data_folders = [tmp_path / "fresh", tmp_path / "damaged"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    twins = [subprocess.Popen([sys.executable, "-c", TWIN, source, *data_folders], **pipes) for _ in range(2)]
    for data in data_folders:
        assert [twin.stdout.readline() for twin in twins] == ["ready\n"] * 2
        for twin in twins:
            twin.stdin.write("\n")
            twin.stdin.flush()
        (path,) = {twin.stdout.readline().strip() for twin in twins}
        others = {folder.name for folder in (data / "cache").iterdir()} - {Path(path).name}
        assert others <= {f"{Path(path).name}.damaged"}
        assert maps_in(read_records(path)).shape == (36, 20)
    for twin in twins:
        twin.communicate(timeout=60)
        assert twin.returncode == 0


def test_unfit_data_leaves_nothing_behind(tmp_path, part):
    part.maps[5] = np.nan
    with pytest.raises(UnfitData) as error:
        parts.cached(parts.map_column(part), tmp_path)
    assert contents(tmp_path / "data") == ["cache"]
    assert error.value.exit_code == 2
    assert "finite values: 1 maps with NaN" in str(error.value)
    assert "\n" not in str(error.value)
    verdicts = {finding.name: finding.verdict for finding in error.value.findings}
    assert verdicts["finite values"] == "failed"
    assert verdicts["columns present"] == "ok"


def test_unfit_data_late_in_the_file_leaves_nothing_behind(tmp_path, part, monkeypatch):
    monkeypatch.setattr("tasks.data.readers.BATCH_ROWS", 5)
    part.maps[35, 19] = np.inf
    with pytest.raises(UnfitData, match="first in row 35"):
        parts.cached(parts.wide_records(part), tmp_path)
    assert contents(tmp_path / "data") == ["cache"]


def test_a_folder_that_cannot_be_made(tmp_path, part):
    (tmp_path / "file").write_text("")
    source = parts.source(parts.map_column(part), tmp_path / "source")
    with pytest.raises(UnusableFolder, match="choose another with --data") as error:
        cache(source, parts.DATA, tmp_path / "file" / "data")
    assert error.value.exit_code == 2


def test_the_manifest_names_every_file(tmp_path, part):
    cached_source = parts.cached(parts.wide_triplets(part, parts.pairs_within(part, np.zeros(36, int), 80)), tmp_path)
    folder = Path(cached_source.stage.path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == set(contents(folder)) - {"manifest.json"}
    assert manifest["digest"].startswith(folder.name.removeprefix("records-"))
    assert cached_source.stage.facts == manifest


def test_labels_that_people_decided_stand_in_place_of_the_sources(tmp_path, part):
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(parts.map_column(part), folder / "table.parquet")
    before = resolve(str(folder), None, tmp_path)
    decide(folder, part)
    after = resolve(str(folder), None, tmp_path)
    assert before.revision != after.revision
    cached_source = cache(download(after), DataConfig(4, 5), tmp_path / "data")
    records = read_records(cached_source.stage.path)
    assert (len(records), records.mode[0], records.label[0]) == (37, "2", "1")
    assert (records.mode[-1], records.id[-1], records.decided[-1]) == ("1", "SN-9", NEW_RANDOM)
    assert records.decided.tolist() == [CHOSEN, *[0] * 35, NEW_RANDOM]
    assert cached_source.facts.decided == {"changed": 1, "confirmed": 0, "added": 1, "people": 1}
    assert cache(download(before), DataConfig(4, 5), tmp_path / "data").stage.digest != cached_source.stage.digest


def decide(folder: Path, part: parts.Parts) -> None:
    """The first record, which is of mode 0, is of mode 2; and a part that the source does not have."""
    values = {"by": "M. Sato", "when": "2026-01-02T03:04:05+00:00"}
    (folder / DECIDED_FILE).parent.mkdir()
    new = DecidedLabel(part.maps[0] + 1, "1", "1", "random", True, part="SN-9", **values)
    write_decided(folder / DECIDED_FILE, [DecidedLabel(part.maps[0], "1", "2", "chosen", False, **values), new])
