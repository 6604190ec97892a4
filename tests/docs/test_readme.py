"""README tells the truth: its commands run, in order, in one folder; docs/commands.md knows every option."""

from __future__ import annotations

import re
import shlex

import pytest
from support.project import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]
OURS = [words for line in COMMANDS if (words := shlex.split(line, comments=True)) and words[0] != "make"]


SHORT = {"retrain": ("--set", "fit.epochs=2")}  # the whole training takes a minute, and other tests have it


@pytest.fixture(scope="module")
def folder(a_place, tmp_path_factory):
    """The one folder in which the commands run, without a Prefect server, as a reader has none."""
    return a_place(tmp_path_factory.mktemp("readme") / "place")


@pytest.mark.slow
@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_a_command_runs(folder, words):
    assert words[0] == "kensa", "console blocks hold make and kensa; another command needs a test that knows it"
    done = folder.kensa(*words[1:], *SHORT.get(words[1], ()), small=False)
    assert done.code == 0, done.err
    assert done.out
    assert "Traceback" not in done.err
    assert folder.left_over() == []


@pytest.mark.slow
def test_the_second_run_says_unchanged_as_promised(folder):
    """Where README says so, after its commands."""
    assert "says `unchanged`" in README
    folder.kensa("retrain", *SHORT["retrain"], small=False)
    done = folder.kensa("retrain", *SHORT["retrain"], small=False, imports=True)
    assert done.out.startswith("unchanged: ")
    assert not {"prefect", "tensorflow", "keras"} & done.imported


def test_there_are_commands_to_run():
    assert ["kensa", "retrain"] in OURS
    assert any(line.startswith("make test") for line in COMMANDS)


def test_readme_names_no_command_or_option_that_does_not_exist():
    reference = (ROOT / "docs" / "commands.md").read_text()
    words = set(re.findall(r"`(--[a-z][a-z-]*)", README)) | {word for line in OURS for word in line if word[:2] == "--"}
    assert words <= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", reference))
    commands = set(re.findall(r"\bkensa ([a-z]+)", " ".join(re.findall(r"`[^`]+`", README))))
    assert commands <= set(re.findall(r"kensa ([a-z]+)", reference))


def test_the_readme_stays_short():
    assert len(README.splitlines()) <= 200
