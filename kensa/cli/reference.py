"""docs/commands.md, the help of every command: `python -m kensa.cli.reference > docs/commands.md`."""

from __future__ import annotations

import typer

from kensa.cli.main import COMMANDS, HELP_OPTIONS, load_command, load_commands

PAGE = {**HELP_OPTIONS, "terminal_width": 100}
INTRODUCTION = """\
# Commands

This page is the help of the command itself, written by `make commands`. Every command takes `--help`; every one that
prints a result takes `--json`. The exit code is 0 when the command did its work, 2 for bad input and 1 for a failure;
what is wrong is said in one line on stderr. `--verbose`, `--log-level` and `--log-format` may stand anywhere.

`kensa --install-completion` lets the shell complete commands, options and names of releases.
"""


def reference() -> str:
    """The help of `kensa` and of each command, as Markdown."""
    top = typer.Context(load_commands(), info_name="kensa", **PAGE)
    contexts = [top, *(typer.Context(load_command(name), parent=top, info_name=name, **PAGE) for name in COMMANDS)]
    return INTRODUCTION + "".join(map(_section, contexts))


def _section(context: typer.Context) -> str:
    lines = (line.rstrip() for line in context.get_help().splitlines())
    return "\n".join(["", f"## {context.command_path}", "", "```", *lines, "```", ""])


if __name__ == "__main__":
    print(reference(), end="")
