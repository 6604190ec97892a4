"""Records of arrays in .npz files: what was saved is loaded, and nothing else is."""

from __future__ import annotations

import resource
import tempfile
import zipfile
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import pytest

from tasks.core.errors import UnusableFolder
from tasks.core.npz import ArrayBlocks, NpzRecord, ScratchArray, map_arrays, save_arrays


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


def test_arrays_that_are_mapped_from_a_file_can_be_saved_to_it(path):
    arrays = map_arrays(path)
    save_arrays(path, {**arrays, "codes": arrays["codes"] + 1})
    assert arrays["codes"].tolist() == [3, 4], "the old file lives on in the mapping"
    assert map_arrays(path)["codes"].tolist() == [4, 5]
    assert [file.name for file in path.parent.iterdir()] == ["pair.npz"]


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


def test_large_arrays_are_written_in_blocks_and_mapped(tmp_path):
    """What `numpy.load` reads of the file, too; nothing of it can be changed."""
    names = np.array(["a", "部品", "", "long name"])
    arrays = {
        "codes": np.arange(12, dtype=np.int32).reshape(4, 3),
        "turned": np.arange(6.0).reshape(3, 2).T,
        "none": np.empty((0, 3), np.int32),
        "names": ArrayBlocks(names.dtype, 4, lambda: [names[:1], names[1:]]),
        "rows": ArrayBlocks(np.dtype(np.int32), 3, lambda: [np.zeros((2, 3), np.int32), np.ones((1, 3))], (3,)),
    }
    save_arrays(tmp_path / "large.npz", arrays)
    expected = {**arrays, "names": names, "rows": np.array([[0] * 3, [0] * 3, [1] * 3], np.int32)}
    assert all(np.array_equal(arrays[name].array(), expected[name]) for name in ("names", "rows"))
    with np.load(tmp_path / "large.npz", allow_pickle=False) as loaded:
        for read in (dict(loaded), map_arrays(tmp_path / "large.npz")):
            assert read.keys() == expected.keys()
            for name, array in expected.items():
                np.testing.assert_array_equal(read[name], array)
                assert read[name].dtype == array.dtype
    with pytest.raises(ValueError, match="read-only"):
        read["codes"][0, 0] = 1


def test_a_file_of_another_form_is_not_mapped(tmp_path):
    np.savez_compressed(tmp_path / "packed.npz", codes=np.arange(9))
    with pytest.raises(ValueError, match="not compressed"):
        map_arrays(tmp_path / "packed.npz")
    with zipfile.ZipFile(tmp_path / "object.npz", "w") as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array(member, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="numbers or texts"):
        map_arrays(tmp_path / "object.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "packed.npz").read_bytes()[:60])
    with pytest.raises(BadZipFile):
        map_arrays(tmp_path / "half.npz")


@pytest.mark.parametrize("dtype", ["f4", "S20", ">u4"])
def test_elements_are_sorted_on_disk_as_in_memory(dtype):
    values = np.random.default_rng(0).integers(0, 1000, 500).astype(dtype)
    scratch = ScratchArray(dtype)
    assert scratch.sort().tolist() == []
    for block in np.split(values, [3, 3, 200]):
        scratch.append(block)
        scratch.sort()  # more may follow
    ascending = scratch.sort()
    del scratch
    np.testing.assert_array_equal(ascending, np.sort(values))
    assert ascending.dtype == dtype


def test_a_disk_that_is_full_is_named():
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    scratch = ScratchArray("f8")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(UnusableFolder, match=f"^{tempfile.gettempdir()}: cannot be written"):
            scratch.append(np.zeros(1 << 17))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
