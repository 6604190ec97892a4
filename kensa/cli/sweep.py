"""`kensa sweep`: settings and seeds tried out, and the best of them kept as a settings file."""

from __future__ import annotations

import argparse
import json
import textwrap
import typing
from pathlib import Path
from typing import Any

from kensa.cli.retrain import configured, pinned, run_words, settings_text
from tasks.config.search_space import OPTIMISM_NOTE, MetricName, Sweep
from tasks.core.errors import BadSetting
from tasks.core.results import SweepResult


def words(commands: Any) -> None:
    """The command's words."""
    text = "try settings and seeds, and write the best of them as a settings file"
    command = commands.add_parser(
        "sweep",
        help=text,
        description=f"{text[0].upper()}{text[1:]}.\n\n{textwrap.fill(OPTIMISM_NOTE, 100)}",
        epilog=settings_text(),
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
    figures = ", ".join(typing.get_args(MetricName))
    command.add_argument("--figure", default=Sweep.figure, metavar="NAME", help=f"what chooses: one of {figures}")
    command.add_argument("--workers", type=int, metavar="N", help=f"trials at once, {Sweep.workers} by default")
    command.add_argument("--dask", metavar="ADDRESS", help="existing Dask scheduler, such as tcp://127.0.0.1:8786")
    command.add_argument("--out", metavar="DIR", help="folder of the sweeps, by default sweeps in --artifacts")
    run_words(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa sweep`: everything that was typed is checked before Prefect is started."""
    from flows.service.server import require_server, set_library_defaults
    from tasks.core.files import ensure_writable

    set_library_defaults()
    plan = planned(arguments)
    for folder in (plan.run.data_folder, plan.out):
        ensure_writable(Path(folder))
    pinned(plan.run)  # a mistyped source is told at once
    require_server(needed=plan.dask is not None)  # the workers speak to it too
    from flows.service.cluster import require_cluster
    from flows.sweep import run as search

    if plan.dask is not None:
        require_cluster(plan.dask, "--dask")
    _print_swept(search(plan), arguments.json)
    return 0


def planned(arguments: argparse.Namespace) -> Sweep:
    """The search that the words ask for; raises BadSetting."""
    if arguments.dask and arguments.workers is not None:
        raise BadSetting("--workers: expected it without --dask, whose workers do the work")
    searched = {word.partition("=")[0].strip() for word in arguments.grid}
    if both := searched & {word.partition("=")[0].strip() for word in arguments.settings}:
        raise BadSetting(f"--grid {both.pop()}: expected it there or in --set, found it in both")
    return Sweep(
        run=configured(arguments),
        grid=tuple(arguments.grid),
        seeds=arguments.seeds,
        random=arguments.random,
        figure=arguments.figure,
        dask=arguments.dask,
        out=arguments.out or f"{arguments.artifacts}/sweeps",
        **({} if arguments.workers is None else {"workers": arguments.workers}),
    )


def _print_swept(swept: SweepResult, as_json: bool) -> None:
    if as_json:
        print(json.dumps(swept.as_json()))
        return
    folder = Path(swept.path)
    print((folder / "table.md").read_text(encoding="utf-8"))
    print(f"{swept.trials} trials, {swept.failed} failed: {folder}")
    print(f"next: kensa retrain --settings {folder / 'best.toml'}")
