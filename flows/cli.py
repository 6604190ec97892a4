"""The `kensa` command. Heavy libraries are imported by the commands that need them, when they run."""

from __future__ import annotations

import argparse
import sys
import textwrap
import typing
from typing import Any, NoReturn

from flows import commands as actions
from flows.listing import list_releases
from tasks.config import Retrain
from tasks.errors import KensaError, UnfitData
from tasks.presets import PRESETS
from tasks.search import OPTIMISM, FigureName, Sweep
from tasks.settings import OPTIONS, keys


def main(words: list[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 2 for bad input, 1 for a failure."""
    arguments = parser().parse_args(words)
    try:
        return arguments.run(arguments)
    except UnfitData as error:
        print(findings_table(error), file=sys.stderr)
        return _told(error)
    except KensaError as error:
        return _told(error)
    except KeyboardInterrupt:
        print("kensa: interrupted; nothing half-written is left, and the next run goes on", file=sys.stderr)
        return 130


def _told(error: KensaError) -> int:
    print(f"kensa: {error}", file=sys.stderr)
    return error.exit_code


class Words(argparse.ArgumentParser):
    """Says what is wrong with the words as every other error is said: in one line."""

    def error(self, message: str) -> NoReturn:
        """Print it without the usage, and end with 2."""
        self.exit(2, f"kensa: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """The command's words."""
    top = Words(prog="kensa", description="Retrains the inspection model and releases it when it is better.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _retrain_words(commands)
    _sweep_words(commands)
    _service_words(commands)
    for name, run, text in (
        ("releases", list_releases, "list the releases and rejected drafts with data, figures and reasons"),
        ("promote", actions.promote, "make a release the champion"),
        ("rollback", actions.rollback, "make the champion before the present one the champion again"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
        command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        if name == "promote":
            command.add_argument("version", metavar="VERSION", help="such as v3")
        command.set_defaults(run=run)
    return top


def _service_words(commands: Any) -> None:
    text = "run server, worker, deployments and receiver until Ctrl-C; in Kensa's own folder"
    command = commands.add_parser("up", help=text, description=text)
    command.add_argument("--port", type=int, default=4200, help="port of the Prefect server and its UI")
    command.add_argument("--webhook-port", type=int, default=4280, metavar="PORT", help="port of the receiver")
    command.set_defaults(run=actions.up)
    text = "judge the records of a source with the champion, or another release"
    command = commands.add_parser("score", help=text, description=text)
    command.add_argument("source", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo")
    command.add_argument("--release", metavar="VERSION", help="such as v3; the champion by default")
    command.add_argument("--out", default="verdicts.parquet", metavar="FILE", help="where the verdicts go")
    command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    command.set_defaults(run=actions.score)
    text = "look for new dataset versions and tell Prefect of them, again and again"
    command = commands.add_parser("watch", help=text, description=text)
    command.add_argument("--once", action="store_true", help="look once and end")
    command.add_argument("--every", type=float, default=60, metavar="SECONDS", help="pause between two looks")
    command.set_defaults(run=actions.watch)


def _retrain_words(commands: Any) -> None:
    command = commands.add_parser(
        "retrain",
        help="download, train, evaluate, and release the model if it passes the gate",
        epilog=_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _run_words(command)
    command.set_defaults(run=actions.retrain)


def _sweep_words(commands: Any) -> None:
    text = "try settings and seeds, and write the best of them as a settings file"
    command = commands.add_parser(
        "sweep",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.\n\n{textwrap.fill(OPTIMISM, 100)}",
        epilog=_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="key=values",
        help="values such as fit.margin=0.2,0.4, or a range such as fit.learning_rate=1e-4..1e-2:log (:5 for five "
        "steps); again for each setting",
    )
    command.add_argument("--random", type=int, metavar="N", help="draw N combinations; else every one is tried")
    command.add_argument("--seeds", type=int, default=Sweep.seeds, metavar="N", help="seeds of each combination")
    figures = ", ".join(typing.get_args(FigureName))
    command.add_argument("--figure", default=Sweep.figure, metavar="NAME", help=f"what chooses: one of {figures}")
    command.add_argument("--workers", type=int, metavar="N", help=f"trials at once, {Sweep.workers} by default")
    command.add_argument("--dask", metavar="ADDRESS", help="existing Dask scheduler, such as tcp://127.0.0.1:8786")
    command.add_argument("--out", metavar="DIR", help="folder of the sweeps, by default sweeps in --artifacts")
    _run_words(command)
    command.set_defaults(run=actions.sweep)


def _settings() -> str:
    settings = "\n".join(
        f"  {key:<26}{field.metadata.get('description', '')}" for key, field in keys().items() if key not in OPTIONS
    )
    return f"settings for --set:\n{settings}"


def _run_words(command: argparse.ArgumentParser) -> None:
    """The words that a retraining and a search of its settings have in common."""
    command.add_argument(
        "--train", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo (default)"
    )
    command.add_argument(
        "--test", metavar="SOURCE", help="separate test source; else a part of the training source is held out"
    )
    command.add_argument("--revision", metavar="REV", help="branch, tag or commit of the training source")
    command.add_argument("--preset", metavar="NAME", help=f"one of {', '.join(PRESETS)}; {Retrain.preset} by default")
    command.add_argument(
        "--settings", metavar="FILE", dest="settings_file", help="such as a sweep's best.toml; other options win"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="key=value", dest="settings", help="a setting, see below"
    )
    command.add_argument("--data", default="data", metavar="DIR", help="folder of the caches and stages")
    command.add_argument("--artifacts", default="artifacts", metavar="DIR", help="folder of the releases")
    command.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")


def findings_table(error: UnfitData) -> str:
    """All findings as a text table, the failed ones first."""
    order = sorted(error.findings, key=lambda finding: (finding.success, not finding.required))
    width = max(len(finding.name) for finding in order)
    lines = (f"  {finding.verdict:<8} {finding.name:<{width}}  {finding.notes}" for finding in order)
    return "\n".join([f"checks of {error.source}:", *lines])
