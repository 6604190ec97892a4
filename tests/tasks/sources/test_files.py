"""Files of this machine as a source, and zip archives, also those that mean harm."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from tasks.core.errors import UnknownSource, UnreadableSource
from tasks.sources import files
from tasks.sources.files import extract, pin_archive, pin_files, pin_pattern, unpack


def write(folder, **contents):
    """Small files; `_` in a name stands for a point."""
    for name, content in contents.items():
        path = folder / name.replace("_", ".").replace("SLASH", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def archive(path, contents, **options):
    """A zip archive of texts by name."""
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def test_files_are_pinned_by_names_and_contents(tmp_path):
    write(tmp_path, aSLASHx_csv="1", bSLASHy_csv="2")
    paths = [tmp_path / "b" / "y.csv", tmp_path / "a" / "x.csv"]
    pinned = pin_files(paths, "s")
    assert (pinned.kind, pinned.location, pinned.names) == ("files", str(tmp_path), ("a/x.csv", "b/y.csv"))
    assert pin_files(paths[::-1], "s").revision == pinned.revision != pin_files(paths[:1], "s").revision
    write(tmp_path, aSLASHx_csv="3")
    assert pin_files(paths, "s").revision != pinned.revision


def test_a_file_of_another_kind_is_refused(tmp_path):
    write(tmp_path, parts_xlsx="1")
    with pytest.raises(UnreadableSource, match=r"expected parquet, csv, .* or zip files, found parts.xlsx"):
        pin_files([tmp_path / "parts.xlsx"], "s")


def test_a_pattern_takes_tables_alone(tmp_path):
    write(tmp_path, aSLASHx_csv="1", aSLASHnotes_txt="1", aSLASHbSLASHz_csv="1", y_csv="1")
    assert pin_pattern(f"{tmp_path}/a/*").names == ("x.csv",)
    assert pin_pattern(f"{tmp_path}/**/*.csv").names == ("a/b/z.csv", "a/x.csv", "y.csv")
    with pytest.raises(UnknownSource, match=r"expected parquet, .* with this pattern, found 1 others"):
        pin_pattern(f"{tmp_path}/a/*.txt")
    with pytest.raises(UnknownSource, match="found no such file"):
        pin_pattern(f"{tmp_path}/c/*")


def test_an_archive_is_unpacked_once_and_again_where_it_was_damaged(tmp_path):
    path = archive(
        tmp_path / "p.zip",
        {"lots/a.csv": "1", "README.md": "a card", "lots/photo.png": "x", "__MACOSX/._a.csv": "x", "standard.npz": "x"},
    )
    pinned = pin_archive(path, tmp_path / "data")
    folder = unpack(path, pinned.revision, tmp_path / "data", "p.zip")
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*.*")} == {
        *("lots/a.csv", "README.md", "standard.npz")
    }
    made = (folder / "lots" / "a.csv").stat().st_mtime_ns
    assert unpack(path, pinned.revision, tmp_path / "data", "p.zip") == folder
    assert (folder / "lots" / "a.csv").stat().st_mtime_ns == made
    (folder / "lots" / "a.csv").write_text("2")
    assert (unpack(path, pinned.revision, tmp_path / "data", "p.zip") / "lots" / "a.csv").read_text() == "1"


@pytest.mark.parametrize("name", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "..\\evil.csv", ".hidden/evil.csv"])
def test_no_file_leaves_the_folder(tmp_path, name):
    path = archive(tmp_path / "p.zip", {name: "1", "a.csv": "1"})
    extract(path, tmp_path / "out", "p.zip")
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.csv")] == ["out/a.csv"]


def test_a_link_is_a_file_with_its_text(tmp_path):
    info = zipfile.ZipInfo("link.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    extract(tmp_path / "p.zip", tmp_path / "out", "p.zip")
    assert not (tmp_path / "out" / "link.csv").is_symlink()


def test_more_than_is_meant_is_refused_unread(tmp_path, monkeypatch):
    path = archive(tmp_path / "p.zip", {"a.csv": "0" * 100_000}, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(files.DataConfig, "most_bytes", 99_999)
    with pytest.raises(UnreadableSource, match=r"expected at most .* 99,999 bytes, unpacked, found 1 and 100,000"):
        extract(path, tmp_path / "out", "p.zip")


def test_a_false_size_is_no_way_around_that(tmp_path):
    content = archive(tmp_path / "p.zip", {"a.csv": "0" * 100_000}, compression=zipfile.ZIP_DEFLATED).read_bytes()
    lying = content.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "p.zip").write_bytes(lying)
    with pytest.raises(UnreadableSource, match="is no whole zip archive"):
        extract(tmp_path / "p.zip", tmp_path / "out", "p.zip")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rest", b"no archive"])
def test_what_is_no_archive_is_told(tmp_path, content):
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(UnreadableSource, match=r"^p.zip: is no whole zip archive: "):
        extract(tmp_path / "p.zip", tmp_path / "out", "p.zip")


def test_a_password_is_told(tmp_path):
    """The library writes none; the flag alone says that a member is locked."""
    content = bytearray(archive(tmp_path / "p.zip", {"a.csv": "1"}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "p.zip").write_bytes(content)
    with pytest.raises(UnreadableSource, match="is locked by a password; make the archive without one"):
        extract(tmp_path / "p.zip", tmp_path / "out", "p.zip")


def test_an_archive_without_tables_is_told(tmp_path):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        file.writestr("a.png", "x")
    (tmp_path / "p.zip").write_bytes(buffer.getvalue())
    with pytest.raises(UnreadableSource, match=r"expected parquet, .* files in the archive, found none"):
        extract(tmp_path / "p.zip", tmp_path / "out", "p.zip")
