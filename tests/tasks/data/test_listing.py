"""One listing of a folder: what is a table by its name, what looks like one, and what is neither."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.listing import list_tables, table_kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("t.parquet", "parquet"),
        ("T.CSV", "csv"),
        ("a/b/t.Tsv.GZ", "tsv"),
        ("t.jsonl", "json"),
        ("t.ndjson.gz", "json"),
        ("lot.2025.csv", "csv"),
        ("t.csv.bak", None),
        ("t.csv.xz", None),
        ("t.parquet.gz", None),
        ("t.csv.20260101", None),
        ("csv", None),
        ("t.gz", None),
        ("notes.txt", None),
    ],
)
def test_a_table_is_known_by_the_end_of_its_name_in_any_case(name, kind):
    assert table_kind(name) == kind


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def test_hidden_files_are_no_data_and_copies_are_named(tmp_path):
    tables = ("a.csv", "b/c.CSV", "t.parquet")
    copies = ("a.csv.bak", "a.csv.part", "a.csv~", "b/old.csv.20260101", "maps.xlsx", "t.csv.txt", "t.csv.xz")
    hidden = (".a.csv", ".verdicts-1/t.parquet", "b/.ipynb_checkpoints/c.csv")
    listing = list_tables(
        fill(tmp_path, *tables, *copies, *hidden, "README.md", "notes.txt", "photo.png", "standard.npz")
    )
    assert listing.tables == tables
    assert listing.others == copies


def test_links_to_folders_are_followed_once(tmp_path):
    fill(tmp_path / "elsewhere", "t.csv")
    fill(tmp_path / "parts", "a.csv")
    (tmp_path / "parts" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "parts" / "self").symlink_to(tmp_path / "parts")
    (tmp_path / "parts" / "lost.csv").symlink_to(tmp_path / "nothing")
    assert list_tables(tmp_path / "parts").tables == ("a.csv", "more/t.csv")


def test_verdicts_of_a_former_run_are_no_source(tmp_path):
    table = pa.table({"row": [1]})
    pq.write_table(table, tmp_path / "t.parquet")
    pq.write_table(table.replace_schema_metadata({"kensa": "{}"}), tmp_path / "verdicts.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"kensa")
    listing = list_tables(tmp_path)
    assert listing.tables == ("broken.parquet", "t.parquet")
    assert listing.others == ("verdicts.parquet",)
