"""labels.csv as people write it: every spelling of a name, and every mistake in one line with its cure."""

from __future__ import annotations

import unicodedata

import pytest

from tasks.core.errors import UnreadablePhotos
from tasks.imaging.labels_table import LabelRow, plain_name, read_labels

PHOTOS = ("a/1.png", "b.png")


def labels(folder, table, photos=PHOTOS):
    (folder / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return read_labels(folder / "labels.csv", photos)


def test_the_rows_of_a_table(tmp_path):
    table = "\ufefffile, label,fmode,group\r\na\\1.png,OK,none,L1\r\n\r\n./b.png,NG,,\r\n"
    assert labels(tmp_path, table) == [LabelRow("a/1.png", "OK", "none", "L1"), LabelRow("b.png", "NG", None, None)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_both_forms_of_unicode(tmp_path, form):
    """macOS decomposes が and ü, spreadsheets compose them."""
    name, other = (unicodedata.normalize(kind, "がü.png") for kind in (form, "NFC" if form == "NFD" else "NFD"))
    assert name != other
    assert labels(tmp_path, f"file,label,fmode\n{other},0,x\n", [name])[0].file == name
    assert plain_name(name) == plain_name(other)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "file,label,fmode\na/1.png,0\nb.png,1,x\n",
            r"expected 3 values in each row .*, found 2 in that of 'a/1.png'; complete",
        ),
        ("file,label,fmode\na/1.png,0,x,y\nb.png,1,x\n", "found 4 in that of 'a/1.png'"),
        ("file;label;fmode\na/1.png;0;x\n", "expected commas between the columns, found 'file;label;fmode'"),
        (
            "file,label,fmode\na/1.png,良品,x\n".encode("cp932"),
            "expected UTF-8, found another encoding; in Excel: Save As",
        ),
        ("file,label,fmode\na/1.png,0,x\nA\\1.png,0,x\n", r"found 'A\\\\1.png', which is not there"),
        ("file,label,fmode\na/1.png,0,x\na\\1.png,0,x\n", "found 'a/1.png' twice"),
        ("", "found no file, fmode, label"),
    ],
)
def test_a_mistake_is_named_with_its_cure(tmp_path, table, message):
    with pytest.raises(UnreadablePhotos, match=message) as error:
        labels(tmp_path, table)
    assert str(error.value).startswith(f"{tmp_path}/labels.csv: ")
