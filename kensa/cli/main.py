"""The `kensa` command: its subcommands, the options that all of them have, and how errors end.

The module of a subcommand is imported when it is called, and what the command needs when it runs: `kensa --help` must
not wait for Prefect or TensorFlow.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from kensa import __version__
from kensa.cli.command import Command, usage_error
from kensa.cli.interruption import Interruptions
from kensa.cli.terminal import print_findings, replace_unprintable
from kensa.libraries import log_prefect, set_defaults, silence
from tasks.core.errors import BadSetting, KensaError, UnfitData
from tasks.core.gc_tuning import relax_gc
from tasks.core.log_lines import LOG_FORMAT, say, wrap_other_lines, write_json

COMMANDS = {  # in the order of the help: the module of kensa.cli, and the first sentence of the help
    "retrain": ("retrain", "Train a model, and release it if it passes the gate."),
    "sweep": ("sweep", "Try settings and seeds, and write the best as a file."),
    "up": ("service", "Run server, worker, webhook receiver and the pages of the reports until Ctrl-C."),
    "watch": ("service", "Look for new dataset versions, and report them to Prefect."),
    "releases": ("releases", "List releases and rejected models with their metrics."),
    "promote": ("releases", "Verify the checksums of a release, and make it the champion."),
    "sign": ("audit.sign", "Sign a release, so that others can require it."),
    "rollback": ("releases", "Make the previous champion the champion again."),
    "history": ("audit.history", "Show all models of a line on one page: is it getting better?"),
    "trace": ("audit.trace", "Tell every verdict on a part, by which release, and on what evidence."),
    "approve": ("audit.approve", "Make a candidate the champion, or refuse it."),
    "review": ("audit.review", "Open a page on which people decide the labels of parts, one key each."),
    "study": ("audit.study", "Study how well inspectors and a release agree with the reference."),
    "journal": ("audit.journal", "List what became of a line's models: when, by whom and why."),
    "score": ("score", "Give a verdict on each part of a source."),
    "serve": ("service", "Give verdicts over HTTP until Ctrl-C."),
    "drift": ("drift", "Compare new parts with those that a release was made with."),
    "maps": ("maps", "Turn photographs into RT maps, a source for the others."),
    "recalibrate": ("recalibrate", "Give a release another threshold, without training."),
    "enrol": ("audit.enrol", "Add a mode or a lot to a release, without training."),
    "report": ("releases", "Render the report of a release anew."),
    "export": ("export", "Write a release as ONNX or SavedModel."),
    "push": ("sharing", "Publish a release to a model repository of the Hub."),
    "reproduce": ("reproduce", "Train a release again from its manifest, and compare."),
    "store": ("sharing", "Copy releases and stages to a shared store, or from it."),
    "prune": ("prune", "Delete files that nothing refers to; never a release."),
    "doctor": ("service", "Check this installation, and say what to do."),
}
GLOBAL_OPTIONS = {"--verbose": 0, "--log-level": 1, "--log-format": 1}  # with the number of words that follow
SERVICES = ("up",)  # their log is what people read
UNTIL_STOPPED = ("up", "watch", "serve", "review")  # a signal is how they end
NO_ADDRESSES = "failed to map segment"  # what the loader says of a library for which ulimit -v leaves no room
HELP_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(TyperGroup):
    """The subcommands by name and summary; each is loaded when it is called."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The subcommand that the first word names, and the words that follow."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load_command(name), rest

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        """Read the global options wherever they stand."""
        return super().parse_args(ctx, _global_options_first(args))

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the subcommand; 130 after Ctrl-C, 141 where nobody reads the output any more, as a shell has it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            return _end_interrupted(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except Exception:
            if ctx.obj and ctx.obj.number:
                return _end_interrupted(ctx)  # a library made another error of the interruption
            raise


def _end_interrupted(ctx: typer.Context) -> int:
    interruptions = ctx.obj or Interruptions()
    interruptions.say()
    return 128 + (interruptions.number or signal.SIGINT)


def _global_options_first(words: list[str]) -> list[str]:
    first, rest, following = [], [], iter(words)
    for word in following:
        if word == "--":
            return [*first, *rest, word, *following]
        name, equals, _ = word.partition("=")
        if name not in GLOBAL_OPTIONS:
            rest.append(word)
        else:
            values = 0 if equals else GLOBAL_OPTIONS[name]
            first += [word, *(value for _, value in zip(range(values), following, strict=False))]
    return [*first, *rest]


def load_command(name: str) -> TyperCommand:
    """The subcommand of that name, from its module."""
    module = importlib.import_module(f"kensa.cli.{COMMANDS[name][0]}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=Command, context_settings=HELP_OPTIONS)(getattr(module, name))
    command = typer.main.get_command(app)
    _name_defaults(command)
    return command


def _name_defaults(command: TyperCommand) -> None:
    """Let the help say `none` for the default of an option that may be left out and names no default itself."""
    for option in command.params:
        takes_value = not option.required and not getattr(option, "is_flag", False)
        if takes_value and not option.default and option.default != 0 and not isinstance(option.show_default, str):
            option.show_default = "none"


def load_commands() -> Commands:
    """`kensa` itself, with a placeholder for each subcommand."""
    app = typer.Typer(cls=Commands, rich_markup_mode=None, context_settings=HELP_OPTIONS, invoke_without_command=True)
    app.callback()(kensa)
    group = typer.main.get_command(app)
    for name, (_, summary) in COMMANDS.items():
        group.add_command(TyperCommand(name, help=summary, rich_markup_mode=None))
    return group


def print_version(requested: bool) -> None:
    """Print the version and end, if that is requested."""
    if requested:
        print(f"kensa {__version__}")
        raise typer.Exit


def kensa(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=print_version, is_eager=True, help="Print the version."),
    verbose: bool = typer.Option(False, "--verbose", help="Print what Prefect, TensorFlow and others log."),
    log_level: Literal["debug", "info", "warning", "error"] | None = typer.Option(
        None, help="Print Prefect's log from this level on.", show_default="warning"
    ),
    log_format: Literal["text", "json"] = typer.Option(
        "text", envvar=LOG_FORMAT, help="Write stderr as text, or as one JSON object a line."
    ),
) -> None:
    """Retrain the model with which a factory inspects its parts, and release it only when it is better."""
    if context.invoked_subcommand is None:
        raise BadSetting("expected a COMMAND, found none; see kensa --help")
    if log_format == "json":
        wrap_other_lines()
        write_json()
    is_quiet = not verbose and context.invoked_subcommand not in SERVICES
    log_prefect(log_level, default="warning" if is_quiet else "info")
    set_defaults(tensorflow_level="0" if verbose else "3")
    if is_quiet:
        silence()
    if context.invoked_subcommand not in UNTIL_STOPPED:
        context.obj = context.with_resource(Interruptions(quiet=not verbose))


def main(words: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 for bad input, 1 for a failure."""
    relax_gc()
    replace_unprintable()
    try:
        return load_commands().main(words, prog_name="kensa", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _print_error(usage_error(error), 2)
    except (MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and NO_ADDRESSES not in str(error):
            raise
        return _print_error("not enough memory; ulimit -v, or a machine with more, sets the limit", 1)
    except KensaError as error:
        if isinstance(error, UnfitData):
            print_findings(error)
        return _print_error(str(error), error.exit_code)


def _print_error(message: str, code: int) -> int:
    say(f"kensa: {message}", "error")
    return code
