"""Settings files as people's editors write them."""

from __future__ import annotations

import pytest

from tasks.config.toml_file import read_toml
from tasks.core.errors import BadSetting

TEXT = 'train = "./基板"\r\nset = []\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_or_without_a_mark(tmp_path, encoding):
    (tmp_path / "run.toml").write_bytes(TEXT.encode(encoding))
    assert read_toml(tmp_path / "run.toml", "here") == {"train": "./基板", "set": []}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# a\ntrain = '基板'".encode("cp932"), "expected UTF-8, found other bytes in line 2; save it as UTF-8"),
        (TEXT.encode("utf-16"), "expected UTF-8, found other bytes in line 1; save it as UTF-8"),
        ("train = ”demo”".encode(), 'expected straight quotes (") around text'),
        (b'train = "D:\\parts"', "write folders with / instead of \\"),
        (b'train = "C:\\Users\\parts"', "write folders with / instead of \\"),
        (b'train = "D:\\ud800"', "write folders with / instead of \\"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_cure(tmp_path, content, message):
    (tmp_path / "run.toml").write_bytes(content)
    with pytest.raises(BadSetting) as caught:
        read_toml(tmp_path / "run.toml", "here")
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


def test_another_mistake_has_no_hint_at_quotes_or_folders(tmp_path):
    (tmp_path / "run.toml").write_text("train = 'a'\ntrain = 'b'")
    with pytest.raises(BadSetting, match="here: cannot be read: Cannot overwrite a value") as caught:
        read_toml(tmp_path / "run.toml", "here")
    assert ";" not in str(caught.value)


def test_a_folder_in_its_place_is_told_and_a_missing_file_is_left_to_the_caller(tmp_path):
    with pytest.raises(BadSetting, match=r"here: cannot be read: .*Is a directory"):
        read_toml(tmp_path, "here")
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "none.toml", "here")
