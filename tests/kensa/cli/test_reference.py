"""docs/commands.md is the help of the commands."""

from __future__ import annotations

import re

import pytest
import typer
from support.project import ROOT

from kensa.cli.main import COMMANDS, load_command
from kensa.cli.reference import reference, settings_reference
from kensa.cli.retrain import setting_rows


def test_the_page_of_the_commands_is_the_help_of_today():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == reference(), "write it anew: make commands"


def test_every_command_has_its_section_and_an_example():
    sections = reference().split("\n## kensa")
    assert [section.split()[0] for section in sections[2:]] == list(COMMANDS)
    for name, section in zip(COMMANDS, sections[2:], strict=True):
        assert f"\n  kensa {name}" in section.split("\nExamples:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_with_a_value_names_its_default(name):
    command = load_command(name)
    context = typer.Context(command, info_name=name)
    for option in command.params:
        if not getattr(option, "is_flag", False) and option.name != "help":
            text = option.get_help_record(context)[1]
            assert "[default: " in text or "[required]" in text, text


def test_every_setting_names_its_default_and_its_choices():
    rows = dict(setting_rows())
    assert all("default: " in text for text in rows.values())
    assert rows["split.fixed"].endswith("[true|false; default: false]")
    assert rows["gate.better"].endswith("|average_precision]")


def test_the_settings_have_a_table_for_each_section():
    page = settings_reference()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [key for key, _ in setting_rows()]
    assert all(re.split(r"(?<!\\)\|", row).__len__() == 5 for row in rows), "a choice is no column"
    (epochs,) = (row for row in rows if "`fit.epochs`" in row)
    assert epochs.endswith("| 1 … 100000 |")
    assert "\n## gate\n" in page
