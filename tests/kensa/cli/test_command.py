"""The help of a command ends with sections and examples; what is wrong with its words is one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from kensa.cli.command import Command, usage_error, with_examples


@with_examples("kensa count 3", Terms=lambda: [("three", "the number after two")])
def count(
    number: int = typer.Argument(min=1),
    unit: str = "part",
    out: Path = Path("out"),
    fast: bool = typer.Option(False, "--fast"),
) -> None:
    """Count."""


@pytest.fixture(scope="module")
def command():
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command("count", cls=Command)(count)
    return typer.main.get_command(app)


def test_the_help_ends_with_sections_and_examples_as_they_are_typed(command):
    text = typer.Context(command, info_name="kensa count").get_help()
    assert text.endswith("Terms:\n  three  the number after two\n\nExamples:\n  kensa count 3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "number: expected a value, found none"),
        (["x"], "number: expected a valid integer, found 'x'"),
        (["0"], "number: expected a number greater than or equal to 1, found '0'"),
        (["1", "--unit"], "--unit: expected a value, found none"),
        (["1", "--fast=yes"], "--fast: expected no value, found one"),
        (
            ["1", "--units", "x"],
            "expected an option of kensa count, found --units, which is similar to --unit and --out",
        ),
        (["1", "2"], "got unexpected extra argument(s) (2)"),
    ],
)
def test_what_was_expected_and_found_is_one_line(command, words, message):
    with pytest.raises(typer.TyperException) as caught:
        command.main(words, prog_name="kensa count", standalone_mode=False)
    assert usage_error(caught.value) == f"{message}; see kensa count --help"
