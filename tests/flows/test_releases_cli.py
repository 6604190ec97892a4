"""`kensa releases`, `promote` and `rollback`, and the help of every command and setting."""

from __future__ import annotations

import re

import pytest

from tasks.releases import point_to
from tasks.settings import keys
from tasks.stages import seal

OPTIONS = {"train", "test", "revision", "preset", "data_folder", "artifacts_folder"}


@pytest.fixture
def released(place):
    """A folder with three releases, each sealed as a run seals it; v3 is the champion."""
    artifacts = place.folder / "artifacts"
    for number in (1, 2, 3):
        folder = artifacts / "releases" / f"v{number}"
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(b"weights %d" % number)
        train = {"source": "acme/boards", "kind": "hub", "revision": f"{number}" * 40, "records": 600, "modes": 3}
        manifest = {
            "version": f"v{number}",
            "status": "released",
            "reasons": [],
            "fingerprint": f"{number}" * 64,
            "created": f"2025-0{number}-01T05:00:00+00:00",
            "train": train,
            "test": None,
            "metrics": {"auroc": 0.9 + number / 100, "mode_accuracy": 0.8 + number / 100},
            "compared_with": f"v{number - 1}" if number > 1 else None,
        }
        seal(folder, manifest)
        point_to(artifacts, f"v{number}")
    return place


def test_the_list_marks_the_champion_and_shows_data_and_figures(released):
    done = released.kensa("releases")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    rows = [re.match(r"([* ]) (v\d)\s+(\S+ \S+)\s+(\S+)\s.*auroc (\S+)\s+mode accuracy (\S+)", line) for line in lines]
    assert [row.groups() for row in rows if row] == [
        (" ", "v1", "2025-01-01 05:00", "acme/boards@111111111111", "0.910", "0.810"),
        (" ", "v2", "2025-02-01 05:00", "acme/boards@222222222222", "0.920", "0.820"),
        ("*", "v3", "2025-03-01 05:00", "acme/boards@333333333333", "0.930", "0.830"),
    ]
    assert done.err == ""


def test_the_list_as_json(released):
    told = released.kensa("releases", "--json").told
    assert told["champion"] == "v3"
    assert [(row["version"], row["champion"]) for row in told["releases"]] == [
        ("v1", False),
        ("v2", False),
        ("v3", True),
    ]
    first = told["releases"][0]
    assert first["train"]["revision"] == "1" * 40
    assert first["metrics"]["auroc"] == 0.91
    assert (released.folder / first["path"] / "manifest.json").exists()


def test_an_empty_list(place):
    done = place.kensa("releases")
    assert (done.code, done.err) == (0, "")
    assert "no releases in artifacts" in done.out
    assert place.kensa("releases", "--json").told == {"champion": None, "releases": []}


def test_promote_and_rollback_move_the_champion(released):
    assert released.kensa("promote", "v1").out == "champion: v1\n"
    assert released.champion() == "v1"
    assert released.kensa("rollback").out == "champion: v3\n"
    assert released.kensa("rollback", "--json").told == {"champion": "v2"}
    assert released.kensa("promote", "v3", "--json").told == {"champion": "v3"}
    assert released.champion() == "v3"
    assert "* v3" in released.kensa("releases").out


def test_a_rollback_ends_at_the_first_champion(released):
    for _ in range(2):
        assert released.kensa("rollback").code == 0
    done = released.kensa("rollback")
    assert done.code == 2
    assert done.err == "kensa: artifacts: expected an earlier champion to go back to, found none\n"
    assert released.champion() == "v1"


def test_another_folder(released):
    released.run("mv", "artifacts", "elsewhere")
    assert released.kensa("promote", "v2", "--artifacts", "elsewhere").out == "champion: v2\n"
    assert released.kensa("releases", "--artifacts", "elsewhere", "--json").told["champion"] == "v2"
    assert released.kensa("promote", "v2").code == 2


def test_these_commands_start_neither_prefect_nor_tensorflow(released):
    for words in (["releases"], ["promote", "v1"], ["rollback"]):
        done = released.kensa(*words, imports=True)
        assert done.code == 0, done.err
        assert not {"prefect", "tensorflow", "keras", "pyarrow", "numpy"} & done.imported


def test_a_damaged_release_is_not_promoted(released):
    (released.folder / "artifacts" / "releases" / "v1" / "model.keras").write_bytes(b"others")
    done = released.kensa("promote", "v1")
    assert done.code == 1
    assert "releases/v1: a file differs" in done.err
    assert released.champion() == "v3"


@pytest.fixture(scope="module")
def commands(a_place, tmp_path_factory):
    """Each command's help by its name; the empty name is `kensa --help`."""
    place = a_place(tmp_path_factory.mktemp("help") / "place")
    top = place.kensa("--help").out
    names = re.findall(r"^    (\w+)(?:  |$)", top, re.M)
    return {"": top, **{name: place.kensa(name, "--help").out for name in names}}


def test_help_lists_every_command(commands):
    assert {"retrain", "releases", "promote", "rollback"} <= set(commands)
    assert all(text.startswith(f"usage: kensa {name}".rstrip()) for name, text in commands.items())


def test_every_setting_has_its_help(commands):
    listed = dict(re.findall(r"^  ([a-z_.]+) +(\S.+)$", commands["retrain"].split("settings for --set:")[1], re.M))
    assert set(listed) == set(keys()) - OPTIONS
    assert all(len(text) > 10 for text in listed.values())
