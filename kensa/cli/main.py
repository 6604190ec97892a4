"""The `kensa` command. Heavy libraries are imported by the commands that need them, when they run."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from kensa.cli import (
    champion,
    drift,
    export,
    maps,
    prune,
    push,
    recalibrate,
    releases,
    reproduce,
    retrain,
    score,
    store,
    sweep,
    up,
    watch,
)
from tasks.core.errors import KensaError, UnfitData
from tasks.core.gc_tuning import relax_gc

JUDGING = (score, drift, maps, recalibrate)
KEEPING = (export, push, reproduce, store, prune)
COMMANDS = (retrain, sweep, up, watch, releases, champion, *JUDGING, *KEEPING)  # in the order of the help


def main(words: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 for bad input, 1 for a failure."""
    relax_gc()
    arguments = parser().parse_args(words)
    try:
        return arguments.run(arguments)
    except UnfitData as error:
        print(findings_table(error), file=sys.stderr)
        return _print_error(error)
    except KensaError as error:
        return _print_error(error)
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("kensa: interrupted; nothing half-written is left, and the next run goes on", file=sys.stderr)
        return 130


def _print_error(error: KensaError) -> int:
    print(f"kensa: {error}", file=sys.stderr)
    return error.exit_code


class Words(argparse.ArgumentParser):
    """Says what is wrong with the words as every other error is said: in one line."""

    def error(self, message: str) -> NoReturn:
        """Print it without the usage, and end with 2."""
        self.exit(2, f"kensa: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command's words, those of each command from its own module."""
    top = Words(prog="kensa", description="Retrains the inspection model and releases it when it is better.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.words(commands)
    return top


def findings_table(error: UnfitData) -> str:
    """All findings as a text table, the failed ones first."""
    order = sorted(error.findings, key=lambda finding: (finding.success, not finding.required))
    width = max(len(finding.name) for finding in order)
    lines = (f"  {finding.verdict:<8} {finding.name:<{width}}  {finding.notes}" for finding in order)
    return "\n".join([f"checks of {error.source}:", *lines])
