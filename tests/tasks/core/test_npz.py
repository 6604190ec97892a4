"""Records of arrays in .npz files: what was saved is loaded, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import pytest

from tasks.core.npz import NpzRecord


@dataclass(frozen=True)
class Pair(NpzRecord):
    FILE = "pair.npz"
    codes: np.ndarray
    names: np.ndarray


@pytest.fixture
def path(tmp_path):
    """A file with two codes and two names."""
    Pair(np.array([3, 4], np.int16), np.array(["a", "部品"])).save(tmp_path)
    return tmp_path / "pair.npz"


def test_a_record_is_loaded_as_it_was_saved(path):
    pair = Pair.load(path.parent)
    assert (pair.codes.tolist(), pair.codes.dtype, pair.names.tolist()) == ([3, 4], np.int16, ["a", "部品"])


def test_an_array_that_a_later_version_added_is_left_out(path):
    np.savez(path, codes=np.arange(2), names=np.array(["a", "b"]), later=np.zeros(9))
    assert Pair.load(path.parent).names.tolist() == ["a", "b"]


def test_a_missing_array_is_named(path):
    np.savez(path, codes=np.arange(2))
    with pytest.raises(KeyError, match="names"):
        Pair.load(path.parent)


def test_nothing_is_unpickled(path):
    np.savez(path, codes=np.arange(2), names=np.array([print], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Pair.load(path.parent)


@pytest.mark.parametrize(("content", "error"), [(b"", EOFError), (b"PK\x03\x04", BadZipFile), (b"no zip", ValueError)])
def test_a_file_of_another_form_raises_a_known_error(path, content, error):
    path.write_bytes(content)
    with pytest.raises(error):
        Pair.load(path.parent)


def test_a_folder_may_be_without_the_file(path):
    assert Pair.load_if_stored(path.parent).codes.tolist() == [3, 4]
    path.unlink()
    assert Pair.load_if_stored(path.parent) is None
