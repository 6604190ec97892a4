"""Code of your own: found on the path or in the working folder, known by its source, and kept with a model."""

from __future__ import annotations

import sys

import pytest

from tasks.core.errors import BadSetting
from tasks.core.files import file_digest
from tasks.core.own_code import copy_kept_code, keep_own_code, load_own, own_digests


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder that is not on Python's path."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name == "mine" or name.endswith("_mine")]:
        del sys.modules[name]


def test_a_module_in_the_working_folder_is_found_and_named_by_its_source(folder):
    (folder / "mine.py").write_text("def tower(): return 1\n")
    assert own_digests(("mine:tower", "euclidean", None)) == {"mine": file_digest(folder / "mine.py")}
    assert "mine" not in sys.modules, "nothing is imported to name it"
    assert load_own("mine:tower")() == 1
    (folder / "mine.py").write_text("def tower(): return 2\n")
    assert own_digests(["mine:tower"]) == {"mine": file_digest(folder / "mine.py")}


def test_a_module_of_a_package_on_the_path_is_found():
    (digest,) = own_digests(["support.custom_models:City"]).values()
    assert len(digest) == 64
    assert load_own("support.custom_models:City").__name__ == "City"


def test_a_model_keeps_the_code_that_it_was_trained_with(folder):
    (folder / "mine.py").write_text("VALUE = 'then'\n")
    stage, release = folder / "stage", folder / "release"
    stage.mkdir()
    release.mkdir()
    keep_own_code(("mine:VALUE", "conv"), stage)
    copy_kept_code(stage, release)
    (folder / "mine.py").write_text("VALUE = 'now'\n")
    assert load_own("mine:VALUE") == "now"
    assert load_own("mine:VALUE", release) == "then"
    (folder / "mine.py").unlink()
    assert load_own("mine:VALUE", release) == "then", "the release needs no other file"


def test_nothing_is_kept_where_nothing_is_of_ones_own(folder):
    stage, release = folder / "stage", folder / "release"
    stage.mkdir()
    release.mkdir()
    keep_own_code(("conv", "euclidean", None), stage)
    copy_kept_code(stage, release)
    assert list(stage.iterdir()) == list(release.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "mine:tower", "mine: expected a module that Python finds, found none .* save it there as mine.py"),
        ("", "mine:tower", "expected 'tower' in .*mine.py, found none of that name"),
        ("def tower(:", "mine:tower", "mine.py: expected a module that Python can import, found SyntaxError"),
        ("1 / 0", "mine:tower", "found ZeroDivisionError: division by zero; correct it"),
        ("import nothing_there", "mine:tower", "found ModuleNotFoundError: No module named 'nothing_there'"),
        ("", "../mine:tower", "expected a module that Python finds"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(folder, source, name, message):
    if source is not None:
        (folder / "mine.py").write_text(source)
    with pytest.raises(BadSetting, match=message) as error:
        load_own(name)
    assert "\n" not in str(error.value)
