"""docs/commands.md, the help of every command: `python -m kensa.cli.reference > docs/commands.md`; and all settings."""

from __future__ import annotations

import dataclasses
from itertools import groupby

import typer

from kensa.cli.main import COMMANDS, HELP_OPTIONS, load_command, load_commands
from kensa.cli.retrain import setting_rows
from tasks.config.overrides import setting_fields
from tasks.config.run import RunConfig

PAGE = {**HELP_OPTIONS, "terminal_width": 100}
INTRODUCTION = """\
# Commands

This page is the help of the command itself, written by `make commands`. Every command takes `--help`; every one that
prints a result takes `--json`. The exit code is 0 when the command did its work, 2 for bad input and 1 for a failure;
what is wrong is said in one line on stderr. `--verbose`, `--log-level` and `--log-format` may stand anywhere.

`kensa --install-completion` lets the shell complete commands, options and names of releases.
"""

SETTINGS = """\
# Settings

Every setting of a run. `kensa retrain --set fit.epochs=20` changes one for one run, a product line of `kensa.toml` has
them as `set`, and in Python a section is a mapping: `kensa.retrain("./parts", fit={"epochs": 20})`.
"""


def reference() -> str:
    """The help of `kensa` and of each command, as Markdown."""
    top = typer.Context(load_commands(), info_name="kensa", **PAGE)
    contexts = [top, *(typer.Context(load_command(name), parent=top, info_name=name, **PAGE) for name in COMMANDS)]
    return INTRODUCTION + "".join(map(_section, contexts))


def _section(context: typer.Context) -> str:
    lines = (line.rstrip() for line in context.get_help().splitlines())
    return "\n".join(["", f"## {context.command_path}", "", "```", *lines, "```", ""])


def settings_reference() -> str:
    """A table for each section of settings, with choices, defaults, bounds and what each is for, as Markdown."""
    titles = {part.name: part.metadata["description"] for part in dataclasses.fields(RunConfig)}
    text = SETTINGS
    for section, rows in groupby(setting_rows(), lambda row: row[0].rpartition(".")[0]):
        title = f"{titles[section]}\n\n" if section else ""
        lines = (f"| `{key}` | {_cell(told)} | {_bounds(key)} |" for key, told in rows)
        text += (
            f"\n## {section or 'run'}\n\n{title}| setting | | from … to |\n| --- | --- | --- |\n"
            + "\n".join(lines)
            + "\n"
        )
    return text


def _bounds(key: str) -> str:
    return " … ".join(f"{bound}" for bound in setting_fields()[key].metadata.get("json_schema_extra", {}).values())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")
