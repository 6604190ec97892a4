"""How a CSV file is written is found from the file itself."""

from __future__ import annotations

import pytest

from tasks.core.errors import UnreadableSource
from tasks.data.csv_dialect import csv_dialect


def dialect(tmp_path, content, name="t.csv"):
    """Encoding, separator, decimal sign, and whether Arrow may read the file as it is."""
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    found = csv_dialect(tmp_path / name, name)
    return found.encoding, found.separator, found.decimal, found.is_plain


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("data0,label\n0.5,a\n", ("utf-8", ",", ".", True)),
        ("data0,label\n0.5,良品\n", ("utf-8", ",", ".", True)),
        ("", ("utf-8", ",", ".", True)),
        ("data0;label\n0,5;a\n", ("utf-8", ";", ",", False)),
        ("data0;label\n0.5;a 1,5\n", ("utf-8", ";", ".", False)),
        ("data0;label\n-1,5e-3;a\n", ("utf-8", ";", ",", False)),
        ("data0,label\n1,5\n", ("utf-8", ",", ".", True)),
        ("data0, label\n1,5\n", ("utf-8", ",", ".", False)),
        ("data0,label\n1,良品\n".encode("cp932"), ("cp932", ",", ".", False)),
        ("data0;label\n0,5;défaut\n".encode("cp1252"), ("cp1252", ";", ",", False)),
        ("data0\tlabel\n0,5\ta\n".encode("utf-16"), ("utf-16", "\t", ",", False)),
    ],
)
def test_the_dialect_of_a_file(tmp_path, content, expected):
    assert dialect(tmp_path, content) == expected


def test_the_ending_tsv_means_tabs(tmp_path):
    assert dialect(tmp_path, "data0\tlabel\n1\ta\n", "t.TSV") == ("utf-8", "\t", ".", True)


@pytest.mark.parametrize("encoding", ["gb18030", "euc_kr", "big5", "koi8_r", "euc_jp"])
def test_an_encoding_that_could_be_any_is_refused(tmp_path, encoding):
    text = {"euc_kr": "불량 부품", "koi8_r": "годный"}.get(encoding, "合格不良")
    with pytest.raises(UnreadableSource, match="expected UTF-8, Shift_JIS or Windows-1252, found another encoding"):
        dialect(tmp_path, f"data0,label\n1,{text}\n".encode(encoding))
