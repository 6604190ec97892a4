"""The table of verdicts: a row a record, counted, with where it comes from."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
from support.scored_parts import decoded, scored_batches

from tasks.core.files import file_digest
from tasks.core.results import PinnedSource
from tasks.scoring import table as table_module
from tasks.scoring.table import VERDICTS_SCHEMA, RowGroups, VerdictWriter, file_metadata
from tasks.scoring.verdicts import predict

COLUMNS = ["row", "mode", "distance", "score", "verdict", "margin", "beta", "sqrt_ve"]  # of the first version
ORIGIN = ["part", "record", "release", "digest", "time"]


def test_a_row_a_record_in_order_and_counted(small_release, hidden):
    parts, batches = hidden(each=20, seed=1), []
    writer = VerdictWriter(small_release, batches.append)
    for batch in scored_batches(small_release, parts, 50):
        writer.update(batch)
    table, predictions = pa.Table.from_batches(batches, VERDICTS_SCHEMA), predict(small_release, parts.maps)
    assert table.column_names == [*COLUMNS, *ORIGIN]
    assert set(table["release"].to_pylist()) == {"v1"}
    assert set(table["digest"].to_pylist()) == {file_digest(small_release.path / "manifest.json")[:16]}
    assert len(set(table["time"].to_pylist())) == 1
    assert table["record"].to_pylist() == [key.hex() for key in decoded(parts).hashes]
    assert table["row"].to_pylist() == list(range(60))
    assert table["mode"].to_pylist() == [small_release.classifier.modes[code] for code in predictions.mode]
    assert table["verdict"].to_pylist() == predictions.verdict.tolist()
    assert writer.result() == {name: predictions.verdict.tolist().count(name) for name in ("good", "defect", "unknown")}


def test_metadata_name_releases_source_and_revision(small_release):
    source = PinnedSource("acme/boards", "hub", "acme/boards", "abc")
    origin = {"release": "v1", "source": "acme/boards", "revision": "abc"}
    assert json.loads(file_metadata(source, small_release)["kensa"]) == origin
    unread = ["t.csv.bak (no table by its name)"]
    assert json.loads(file_metadata(source, small_release, None, unread)["kensa"]) == {**origin, "not_read": unread}
    assert json.loads(file_metadata(source, small_release, small_release)["kensa"]) == {**origin, "against": "v1"}


def test_batches_are_joined_to_row_groups_which_hold_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "GROUP_ROWS", 100)
    rows = pa.record_batch({"row": list(range(210))})
    with pq.ParquetWriter(tmp_path / "rows.parquet", rows.schema) as writer:
        groups = RowGroups(writer)
        for start in range(0, 210, 30):
            groups.write(rows.slice(start, 30))
        groups.flush()
        groups.flush()
    metadata = pq.read_metadata(tmp_path / "rows.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [120, 90]
    assert pq.read_table(tmp_path / "rows.parquet").equals(pa.Table.from_batches([rows]))
