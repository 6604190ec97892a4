"""The class of every command: its help ends with examples, and what is wrong with its words is said in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from kensa.mirror import local_copies
from tasks.core.text import one_line

Rows = list[tuple[str, str]]  # a term and its description
PYDANTIC_EXPECTS = "Input should be "
OUT_OF_BOUNDS = ("greater_than_equal", "less_than_equal")
QUOTE = "'"


class Command(TyperCommand):
    """A command; its help ends with the sections and examples that `with_examples` gave to its function."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Read the words; an error knows the command, which Typer forgets for an option without its value."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            error.ctx = ctx
            raise

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the command; where its folders are addresses, in this machine's copy of them."""
        with local_copies(ctx.params):
            return super().invoke(ctx)

    def format_epilog(self, ctx: typer.Context, formatter: Any) -> None:
        """Write each section as a list of terms, and the examples as they are typed."""
        for heading, rows in self.callback.sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows())
        with formatter.section("Examples"):
            for line in self.callback.examples:
                formatter.write(f"  {line}\n")


def with_examples(*examples: str, **sections: Callable[[], Rows]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command's function its examples, and sections of terms, which are made when the help is printed."""

    def attach(function: Callable[..., Any]) -> Callable[..., Any]:
        function.examples, function.sections = examples, sections
        return function

    return attach


def usage_error(error: typer.TyperException) -> str:
    """What is wrong with the words, in one line: what was expected, what was found, and where to read on."""
    return f"{_problem(error)}; see {error.ctx.command_path} --help"


def _problem(error: typer.TyperException) -> str:
    if isinstance(error, typer.BadParameter):
        return f"{error.param.get_error_hint().strip(QUOTE)}: {_bad_value(error)}"
    if hasattr(error, "possibilities"):
        similar = f", which is similar to {' and '.join(error.possibilities)}" if error.possibilities else ""
        return f"expected an option of {error.ctx.command_path}, found {error.option_name}{similar}"
    if hasattr(error, "option_name"):
        flags = {name for option in error.ctx.command.params for name in option.opts if getattr(option, "is_flag", 0)}
        problem = "no value, found one" if error.option_name in flags else "a value, found none"
        return f"{error.option_name}: expected {problem}"
    text = one_line(error.format_message()).rstrip(".")
    return f"{text[0].lower()}{text[1:]}"


def _bad_value(error: typer.BadParameter) -> str:
    if error.__cause__ is None:
        return "expected a value, found none"
    entry, choices = error.__cause__.errors()[0], error.param.type_descriptor.choices
    expected = " or ".join(choices) if choices else entry["msg"].removeprefix(PYDANTIC_EXPECTS).partition(",")[0]
    expected = f"a number {expected}" if entry["type"] in OUT_OF_BOUNDS else expected
    return f"expected {expected}, found {entry['input']!r}"
