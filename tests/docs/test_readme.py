"""README tells the truth: its commands run, in order, in one folder; and it knows every command and option."""

from __future__ import annotations

import re
import shlex

import pytest
from support.project import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
OURS = [words for line in COMMANDS if (words := shlex.split(line, comments=True)) and words[0] != "make"]


@pytest.fixture(scope="module")
def folder(a_place, tmp_path_factory):
    """The one folder in which the commands run, without a Prefect server, as a reader has none."""
    return a_place(tmp_path_factory.mktemp("readme") / "place")


@pytest.mark.slow
@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_a_command_runs(folder, words):
    assert words[0] == "kensa", "console blocks hold make and kensa; another command needs a test that knows it"
    done = folder.kensa(*words[1:], small=False)
    assert done.code == 0, done.err
    assert done.out
    assert "Traceback" not in done.err
    assert folder.left_over() == []


@pytest.mark.slow
def test_the_second_run_says_unchanged_as_promised(folder):
    """Where README says so, after its commands."""
    assert "says `unchanged`" in README
    folder.kensa("retrain", small=False)
    done = folder.kensa("retrain", small=False, imports=True)
    assert done.out.startswith("unchanged: ")
    assert not {"prefect", "tensorflow", "keras"} & done.imported


def test_there_are_commands_to_run():
    assert ["kensa", "retrain"] in OURS
    assert any(line.startswith("make test") for line in COMMANDS)


@pytest.fixture(scope="module")
def known(folder):
    """The options of every command by its name, as its help tells them; the empty name is `kensa` itself."""
    top = folder.kensa("--help").out
    names = re.findall(r"^  (\w+)  ", top.split("Commands:")[1], re.M)
    told = {"": top, **{name: folder.kensa(name, "--help").out for name in names}}
    return {name: set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - {"--help"} for name, text in told.items()}


def test_readme_has_every_command(known):
    assert set(known) > {"retrain", "releases", "promote", "rollback"}
    for name in filter(None, known):
        assert re.search(rf"`kensa {name}\b", README), name


def test_readme_has_no_command_or_option_that_does_not_exist(known):
    told = set(re.findall(r"`(--[a-z][a-z-]*)", README)) | {
        word for words in OURS for word in words if word[:2] == "--"
    }
    assert told <= set().union(*known.values())
    assert set(re.findall(r"\bkensa ([a-z]+)", " ".join(re.findall(r"`[^`]+`", README)))) <= set(known)
