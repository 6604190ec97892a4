"""docs/commands.md is the help of the commands."""

from __future__ import annotations

from support.project import ROOT

from kensa.cli.main import COMMANDS
from kensa.cli.reference import reference


def test_the_page_of_the_commands_is_the_help_of_today():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == reference(), "write it anew: make commands"


def test_every_command_has_its_section_and_an_example():
    sections = reference().split("\n## kensa")
    assert [section.split()[0] for section in sections[2:]] == list(COMMANDS)
    for name, section in zip(COMMANDS, sections[2:], strict=True):
        assert f"\n  kensa {name}" in section.split("\nExamples:")[1]
