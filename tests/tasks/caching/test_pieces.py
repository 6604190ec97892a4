"""Pieces of a source: whatever their number, the cache is the same; one that is lost or damaged is made again alone."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from support import inspected_parts as parts
from support.project import ROOT

from tasks import cache as cache_step
from tasks.cache import cache
from tasks.caching import pieces
from tasks.caching.pieces import PIECE_STAGE, request_pieces, write_piece, write_tables
from tasks.config.fingerprints import cache_digest
from tasks.core.errors import UnfitData, UnreadableSource
from tasks.core.results import CachedSource, DownloadedSource, PinnedSource
from tasks.core.stages import verified_manifest
from tasks.data.listing import DECIDED_FILE
from tasks.data.readers import open_source
from tasks.data.records import FLAGS, TEXTS, Records, read_records
from tasks.sources.decided_labels import DecidedLabel, LabelOverlay, write_decided
from tasks.triplets import triplets

KILLED = """
import os, signal, sys
from pathlib import Path
from tasks.cache import cache
from tasks.caching import pieces
from tasks.config.run import DataConfig
from tasks.core.results import DownloadedSource, PinnedSource
folder, data = sys.argv[1:]
pieces.PIECE_ROWS = 20
write, done = pieces.TableWriter.add, []
def add(writer, blocks):
    done.append(writer)
    if len(done) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    write(writer, blocks)
pieces.TableWriter.add = add
cache(DownloadedSource(PinnedSource("s", "folder", folder, "r1"), folder), DataConfig(4, 5), Path(data))
"""


@pytest.fixture(scope="module")
def part() -> parts.Parts:
    """144 records in 12 lots; the first 30 are repeated at the end, two of them with another mode."""
    part = parts.inspected(each=48, groups=12)
    twins = part.take([*range(144), *range(30)])
    twins.mode[[150, 153]] = (twins.mode[[150, 153]] + 1) % 3
    return twins


@pytest.fixture
def source(tmp_path, part) -> DownloadedSource:
    """A Parquet file with row groups of 10 records."""
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(parts.map_column(part), folder / "table.parquet", row_group_size=10)
    return downloaded(folder)


def downloaded(folder: Path) -> DownloadedSource:
    return DownloadedSource(PinnedSource("s", "folder", str(folder), "r1"), str(folder))


def cached(source: DownloadedSource, data: Path, rows: int, monkeypatch: pytest.MonkeyPatch) -> CachedSource:
    """The source cached with pieces of so many rows."""
    monkeypatch.setattr(pieces, "PIECE_ROWS", rows)
    return cache(source, parts.DATA, data)


def same_records(first: Records, other: Records) -> bool:
    """Whether the records, their order and their maps are the same; they may lie in other files."""
    same = [np.array_equal(getattr(first, name)[:], getattr(other, name)[:]) for name in (*TEXTS, *FLAGS, "key", "id")]
    return all(same) and np.array_equal(*(np.concatenate(list(records.blocks())) for records in (first, other)))


@pytest.mark.parametrize(("rows", "tables"), [(100, 2), (70, 3), (25, 9), (1, 18)])
def test_the_cache_is_the_same_whatever_the_number_of_pieces(tmp_path, source, monkeypatch, rows, tables):
    whole = cached(source, tmp_path / "whole", 1000, monkeypatch)
    divided = cached(source, tmp_path / "divided", rows, monkeypatch)
    assert len(list(Path(divided.stage.path).glob("records*.parquet"))) == tables
    assert [path.name for path in Path(whole.stage.path).glob("records*.parquet")] == ["records.parquet"]
    assert divided.facts == whole.facts
    assert (whole.facts.rows, whole.facts.records) == (174, 144)
    records = read_records(whole.stage.path)
    assert same_records(records, read_records(divided.stage.path))
    assert np.flatnonzero(records.contradictory).tolist() == [6, 9]
    assert [path.name for path in (tmp_path / "divided" / "cache").iterdir()] == [Path(divided.stage.path).name]
    assert verified_manifest(Path(divided.stage.path)) is not None


@pytest.mark.slow
def test_the_cache_is_the_same_whoever_makes_the_pieces(tmp_path, source, monkeypatch, workers):
    monkeypatch.setattr(pieces, "PIECE_ROWS", 25)
    here = cache(source, parts.DATA, tmp_path / "here")
    there = cache(source, parts.DATA, tmp_path / "there", dask=workers)
    assert there.facts == here.facts
    assert there.stage.facts["files"] == here.stage.facts["files"], "the same bytes"
    assert [path.name for path in (tmp_path / "there" / "cache").iterdir()] == [Path(there.stage.path).name]


def test_a_bank_is_the_same_whatever_the_number_of_pieces(tmp_path, source, monkeypatch):
    files = []
    for rows in (1000, 25):
        folder = tmp_path / str(rows)
        stage = triplets(cached(source, folder / "data", rows, monkeypatch), None, parts.configured(folder))
        files.append((stage.digest, stage.facts["records"], stage.facts["files"]))
    assert files[0] == files[1]


@pytest.mark.parametrize("kind", ["csv", "arrow"])
def test_small_files_are_joined_to_pieces(tmp_path, part, monkeypatch, kind):
    """By their sizes where a file does not say how many records it has."""
    table = parts.wide_records(part)
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(6):
        rows = table.slice(number * 29, 29)
        if kind == "arrow":
            feather.write_feather(rows, folder / f"{number}.arrow", compression="uncompressed")
        else:
            pa.csv.write_csv(rows, folder / f"{number}.csv")
    whole = cached(downloaded(folder), tmp_path / "whole", 10_000, monkeypatch)
    divided = cached(downloaded(folder), tmp_path / "divided", 60, monkeypatch)
    assert 2 < len(list(Path(divided.stage.path).glob("records-*.parquet"))) < 9
    assert divided.facts == whole.facts
    assert same_records(read_records(whole.stage.path), read_records(divided.stage.path))


def test_labels_that_people_decided_reach_every_piece(tmp_path, source, part, monkeypatch):
    """A relabelled record, one that its later rows contradict no more, and an added part."""
    by = {"by": "M. Sato", "when": "2026-01-02T03:04:05+00:00"}
    decided = [DecidedLabel(part.maps[i], "1", "2", "chosen", False, **by) for i in (6, 50, 143)]
    new = DecidedLabel(part.maps[0] + 1, "1", "1", "random", True, part="SN-9", **by)
    (Path(source.folder) / DECIDED_FILE).parent.mkdir()
    write_decided(Path(source.folder) / DECIDED_FILE, [*decided, new])
    whole = cached(source, tmp_path / "whole", 1000, monkeypatch)
    divided = cached(source, tmp_path / "divided", 25, monkeypatch)
    assert divided.facts == whole.facts
    assert divided.facts.decided["added"] == 1
    records = read_records(divided.stage.path)
    assert same_records(read_records(whole.stage.path), records)
    assert np.flatnonzero(records.contradictory).tolist() == [9]
    assert (len(records), records.id[-1], records.mode[50]) == (145, "SN-9", "2")


def test_wide_triplets_and_small_sources_are_not_divided(tmp_path, part, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_ROWS", 20)
    wide = parts.source(parts.wide_triplets(part, parts.pairs_within(part, np.zeros(174, int), 300)), tmp_path / "wide")
    small = parts.source(parts.map_column(part.take(range(20))), tmp_path / "small")
    for source in (wide, small):
        table = open_source(source, parts.DATA, False)
        assert request_pieces(table, parts.DATA, LabelOverlay({}), tmp_path, "digest") == []


def test_a_row_group_that_is_too_large_is_a_piece_of_several_tables(tmp_path, part, monkeypatch):
    source = parts.source(parts.map_column(part), tmp_path / "source")
    monkeypatch.setattr("tasks.data.readers.BATCH_ROWS", 16)
    whole = cached(source, tmp_path / "whole", 1000, monkeypatch)
    divided = cached(source, tmp_path / "divided", 50, monkeypatch)
    assert len(list(Path(divided.stage.path).glob("records-*.parquet"))) == 3
    assert divided.facts == whole.facts
    assert same_records(read_records(whole.stage.path), read_records(divided.stage.path))


def test_a_request_is_a_message_and_its_piece_is_made_once(tmp_path, source, monkeypatch):
    """Also where it is sent to another process; one that is damaged is made again, alone."""
    monkeypatch.setattr(pieces, "PIECE_ROWS", 50)
    table = open_source(source, parts.DATA, False)
    requests = request_pieces(table, parts.DATA, LabelOverlay({}), tmp_path, "digest")
    made = [write_piece(pickle.loads(pickle.dumps(request))) for request in requests]
    assert [piece.values.rows for piece in made] == [50, 50, 50, 24]
    times = [(piece.folder / "manifest.json").stat().st_mtime_ns for piece in made]
    (made[2].folder / "records-00000.parquet").write_bytes(b"")
    assert [asdict(write_piece(request)) for request in requests] == [asdict(piece) for piece in made]
    again = [(piece.folder / "manifest.json").stat().st_mtime_ns for piece in made]
    assert [old == new for old, new in zip(times, again, strict=True)] == [True, True, False, True]


def test_a_killed_run_costs_one_piece(tmp_path, source, monkeypatch):
    """Killed in the fourth piece: three are there, and the next run makes the others alone."""
    whole = cached(source, tmp_path / "whole", 1000, monkeypatch)
    data = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED, source.folder, data], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    there = {path.name for path in (data / "cache").glob(f"{PIECE_STAGE}-*")}
    assert len(there) == 3
    written = []
    monkeypatch.setattr(pieces, "write_tables", lambda *words: written.append(words[0]) or write_tables(*words))
    after = cached(source, data, 20, monkeypatch)
    assert len(written) == 6
    assert after.facts == whole.facts
    assert same_records(read_records(whole.stage.path), read_records(after.stage.path))
    assert [path.name for path in (data / "cache").iterdir()] == [Path(after.stage.path).name]


def test_another_process_may_remove_a_piece_that_is_waited_for(tmp_path, source, monkeypatch):
    """Two make the same cache: the first removes the pieces when it has its own."""
    whole = cached(source, tmp_path / "whole", 1000, monkeypatch)

    def write_and_lose(request):
        piece = write_piece(request)
        pieces.remove_pieces(request.root, cache_digest("r1", parts.DATA, False))
        return piece

    monkeypatch.setattr(cache_step, "map", lambda _, requests: map(write_and_lose, requests), raising=False)
    divided = cached(source, tmp_path / "divided", 50, monkeypatch)
    assert same_records(read_records(whole.stage.path), read_records(divided.stage.path))


def test_a_run_that_is_killed_while_it_removes_the_pieces_leaves_none(tmp_path, source, monkeypatch):
    """The next run finds the cache, and removes the others."""
    with monkeypatch.context() as context:
        context.setattr(cache_step, "remove_pieces", lambda *_: None)
        stage = cached(source, tmp_path, 20, monkeypatch).stage
    assert len(list((tmp_path / "cache").glob(f"{PIECE_STAGE}-*"))) == 9
    pieces.remove_pieces(tmp_path / "cache", "of another cache")
    assert len(list((tmp_path / "cache").glob(f"{PIECE_STAGE}-*"))) == 9
    assert cached(source, tmp_path, 20, monkeypatch).stage.reused
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Path(stage.path).name]


def test_what_is_unfit_leaves_no_piece_and_says_the_same(tmp_path, part, monkeypatch):
    """The row is that of the source, not of the piece."""
    broken = part.take(range(174))
    broken.maps[131, 3] = np.nan
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(parts.map_column(broken), folder / "table.parquet", row_group_size=10)
    texts = []
    for rows in (1000, 25):
        with pytest.raises(UnfitData) as error:
            cached(downloaded(folder), tmp_path / str(rows), rows, monkeypatch)
        texts.append(error.value.findings)
        assert list((tmp_path / str(rows) / "cache").iterdir()) == []
    assert texts[0] == texts[1]
    assert any("first in row 131" in finding.notes for finding in texts[0])


def test_a_piece_that_cannot_be_read_is_told_in_one_line(tmp_path, source, part, monkeypatch):
    """And more rows than a source may have, which files without a number of rows show only while they are read."""
    path = Path(source.folder) / "table.parquet"
    content = bytearray(path.read_bytes())
    middle = pq.read_metadata(path).row_group(9).column(0).data_page_offset
    content[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(UnreadableSource, match=r"^s: cannot be read as a table"):
        cached(source, tmp_path / "data", 25, monkeypatch)
    folder = tmp_path / "tables"
    folder.mkdir()
    for number in range(4):
        pa.csv.write_csv(parts.wide_records(part).slice(number * 40, 40), folder / f"{number}.csv")
    monkeypatch.setattr(pieces, "PIECE_ROWS", 90)
    with pytest.raises(UnreadableSource, match="expected at most 100 records"):
        cache(downloaded(folder), replace(parts.DATA, most_records=100), tmp_path / "data")
    assert list((tmp_path / "data" / "cache").iterdir()) == []


def test_the_name_of_a_cache_does_not_depend_on_pieces(tmp_path, source, monkeypatch):
    stage = cached(source, tmp_path / "data", 25, monkeypatch).stage
    assert stage.digest == cache_digest("r1", parts.DATA, False)
    assert cached(source, tmp_path / "data", 1000, monkeypatch).stage.reused
