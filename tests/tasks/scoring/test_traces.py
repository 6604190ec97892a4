"""Kept verdicts: a part is found again by its name, with the evidence, and nothing is kept twice."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.inspected_parts import map_column, source

from tasks.core.errors import UnreadableSource
from tasks.core.inspection import ScoreRequest
from tasks.registry.release_files import ThresholdSettings
from tasks.score import score
from tasks.scoring.traces import FOLDER, trace


@pytest.fixture
def line(small_line, tmp_path):
    """The line's releases, with traces of the test's own."""
    shutil.copytree(small_line.artifacts_path, tmp_path / "artifacts", ignore=shutil.ignore_patterns(FOLDER))
    return tmp_path


@pytest.fixture
def parts(hidden, line):
    """Twelve new parts with serial numbers of two columns, of which one has no number."""
    records = hidden(each=4, seed=9)
    lot = pa.array(["L7"] * 6 + ["L8"] * 5 + [None])
    serial = pa.array([f"SN-{number}" for number in range(11)] + [None])
    return source(map_column(records).append_column("lot", lot).append_column("serial", serial), line / "new")


def test_a_part_is_found_by_its_name(line, parts, small_release):
    request = ScoreRequest(line / "verdicts.parquet", id="lot,serial")
    score(parts, line / "artifacts", request)
    table = pq.read_table(line / "verdicts.parquet").to_pylist()
    assert [row["part"] for row in table] == [
        *(f"L7/SN-{number}" for number in range(6)),
        *(f"L8/SN-{number}" for number in range(6, 11)),
        "table.parquet:11",
    ]
    (entry,) = trace(line / "artifacts", "L8/SN-7")
    assert entry.verdict == table[7]
    assert (entry.source, entry.revision) == (parts.resolved.source, parts.resolved.revision)
    threshold = ThresholdSettings.load(small_release.path).by_name["good or defect"]
    assert (entry.evidence.threshold, entry.evidence.rule) == (threshold.value, threshold.rule)
    assert np.isclose(threshold.value - entry.verdict["score"], entry.verdict["margin"])
    assert trace(line / "artifacts", "SN-7") == []


def test_without_a_column_file_and_row_name_a_part(line, parts):
    for out in ("verdicts.parquet", "verdicts.csv"):
        score(parts, line / "artifacts", ScoreRequest(line / out))
    assert len(list((line / "artifacts" / FOLDER).iterdir())) == 1, "the same verdicts are kept once"
    (entry,) = trace(line / "artifacts", "table.parquet:3")
    assert entry.verdict["row"] == 3


def test_another_source_is_another_verdict_and_a_training_record_is_told(line, parts, small_release):
    score(parts, line / "artifacts", ScoreRequest(line / "verdicts.parquet"))
    gallery = small_release.gallery
    size = small_release.data.rows * small_release.data.cols
    seen = pa.table({"map": pa.FixedSizeListArray.from_arrays(pa.array(gallery.maps[:12].ravel()), size)})
    score(source(seen, line / "other"), line / "artifacts", ScoreRequest(line / "verdicts.parquet"))
    entries = trace(line / "artifacts", "table.parquet:0")
    assert sorted(entry.source.rpartition("/")[2] for entry in entries) == ["new", "other"]
    by_source = {entry.source.rpartition("/")[2]: entry.evidence.seen_in for entry in entries}
    assert by_source == {"new": None, "other": "training"}


def test_a_release_that_is_gone_leaves_its_verdicts(line, parts):
    score(parts, line / "artifacts", ScoreRequest(line / "verdicts.parquet"))
    shutil.rmtree(line / "artifacts" / "releases")
    (entry,) = trace(line / "artifacts", "table.parquet:0")
    assert (entry.verdict["release"], entry.evidence.threshold) == ("v1", None)


def test_a_damaged_table_is_told_and_a_read_only_folder_stops_no_verdict(line, parts, capsys):
    place = line / "artifacts" / FOLDER
    place.write_text("no folder")
    score(parts, line / "artifacts", ScoreRequest(line / "verdicts.parquet"))
    assert "not kept for kensa trace" in capsys.readouterr().err
    assert (line / "verdicts.parquet").exists()
    place.unlink()
    place.mkdir()
    (place / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableSource, match=r"x.parquet: expected a table of verdicts"):
        trace(line / "artifacts", "table.parquet:0")
