"""The card of a stranger's dataset: what it names, and that it leads nowhere else and runs nothing."""

from __future__ import annotations

import json

import pytest

from tasks.core.errors import UnreadableSource
from tasks.data.card import Card, CardConfig, read_card


def card(folder, text, name="README.md"):
    (folder / name).write_text(f"---\n{text}\n---\n# boards\n" if name == "README.md" else text, encoding="utf-8")
    return read_card(folder, "boards")


@pytest.mark.parametrize(
    "pattern",
    [
        "../other/*.parquet",
        "/etc/*",
        "~/x",
        "http://127.0.0.1:9/x.parquet",
        "zip://x::http://127.0.0.1:9/x",
        "a/../../b",
    ],
)
def test_a_card_that_names_files_elsewhere_is_refused(tmp_path, pattern):
    with pytest.raises(UnreadableSource, match=r"expected README.md to name files of its own folder"):
        card(tmp_path, f"configs:\n- config_name: default\n  data_files: {json.dumps(pattern)}")
    with pytest.raises(UnreadableSource, match=r"expected .huggingface.yaml to name files of its own folder"):
        (tmp_path / "README.md").unlink()
        card(tmp_path, f"configs:\n- data_dir: {json.dumps(pattern)}", ".huggingface.yaml")


def test_a_loading_script_is_never_run(tmp_path):
    (tmp_path / f"{tmp_path.name}.py").write_text("raise SystemExit")
    with pytest.raises(UnreadableSource, match="none is ever run"):
        read_card(tmp_path, "boards")


@pytest.mark.parametrize(
    "files",
    [
        "[{split: train, path: 'a/*.csv'}, {split: test, path: [b.csv, c.csv]}]",
        "{train: 'a/*.csv', test: [b.csv, c.csv]}",
    ],
)
def test_files_by_split(tmp_path, files):
    expected = CardConfig("front", True, "d", {"train": ("a/*.csv",), "test": ("b.csv", "c.csv")})
    text = f"configs:\n- config_name: front\n  data_dir: d\n  default: true\n  data_files: {files}"
    assert card(tmp_path, text) == Card((expected,))


@pytest.mark.parametrize(("files", "paths"), [("t.csv", ("t.csv",)), ("[a.csv, b.csv]", ("a.csv", "b.csv"))])
def test_files_without_a_split_are_those_to_train_on(tmp_path, files, paths):
    (config,) = card(tmp_path, f"configs:\n- data_files: {files}").configs
    assert config == CardConfig("default", False, "", {"train": paths})


def test_names_of_classes_are_texts(tmp_path):
    """YAML takes NO and OFF for truth values."""
    label = "  - {name: label, dtype: {class_label: {names: {'1': OK, '0': NO}}}}"
    text = f"dataset_info:\n  features:\n{label}\n  - {{name: x, dtype: int8}}"
    assert card(tmp_path, text).class_names == {"default": {"label": ["NO", "OK"]}}


@pytest.mark.parametrize(
    "content", [b"", "基板の検査データ".encode("cp932"), b"no front matter", b"---\n- a\n---\n", b"\xff\xfe"]
)
def test_a_readme_without_front_matter_is_no_obstacle(tmp_path, content):
    (tmp_path / "README.md").write_bytes(content)
    assert read_card(tmp_path, "boards") == Card()


def test_front_matter_that_is_no_yaml_is_named(tmp_path):
    with pytest.raises(UnreadableSource, match=r"boards: its README.md cannot be read"):
        card(tmp_path, "configs: [")
    (tmp_path / "README.md").write_bytes(b"x" * (1 << 21))
    with pytest.raises(UnreadableSource, match="at most 1048576 bytes; shorten it"):
        read_card(tmp_path, "boards")


@pytest.fixture
def boards(tmp_path):
    """A folder with a card that names these files."""

    def write(card):
        (tmp_path / "boards").mkdir(exist_ok=True)
        (tmp_path / "boards" / "README.md").write_text(f"---\n{card}\n---\n")
        return tmp_path / "boards"

    return write


def test_a_card_that_opens_an_archive_is_refused(boards):
    with pytest.raises(UnreadableSource, match=r"expected README\.md to name files of its own folder"):
        read_card(boards("configs:\n- data_files: 'zip::parts.zip'"), "boards")


def test_a_card_of_a_megabyte_is_not_read(boards):
    with pytest.raises(UnreadableSource, match=r"expected a README\.md of at most 1048576 bytes"):
        read_card(boards("configs: []\nnotes: " + "x" * 2**20), "boards")


def test_a_card_that_repeats_itself_a_billion_times_is_read_once(boards):
    """Sixty lists, each of them the one before twice: without end, were each text read where it stands."""
    levels = [f"l{i}: &l{i} [*l{i - 1}, *l{i - 1}]" for i in range(1, 60)]
    read_card(boards("\n".join(["l0: &l0 [a]", *levels, "configs: *l59"])), "boards")
