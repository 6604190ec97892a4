"""`kensa score`: new parts judged by the champion, or by a release of one's choice."""

from __future__ import annotations

import argparse
import json
from typing import Any

from flows.commands import artifacts_word, json_word
from tasks.config import Retrain


def words(commands: Any) -> None:
    """The command's words."""
    text = "judge the records of a source with the champion, or another release"
    command = commands.add_parser("score", help=text, description=text)
    command.add_argument("source", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo")
    command.add_argument("--release", metavar="VERSION", help="such as v3; the champion by default")
    command.add_argument("--out", default="verdicts.parquet", metavar="FILE", help="where the verdicts go")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa score SOURCE`: plain functions, for Prefect has nothing to add to a look at some parts."""
    from flows.server import set_defaults

    set_defaults()
    from tasks.download import download, resolve
    from tasks.score import score as judge

    config = Retrain(artifacts_folder=arguments.artifacts)
    downloaded = download(resolve(arguments.source, None, config))
    scored = judge(downloaded, config, arguments.release, arguments.out)
    told = {"release": scored.release, "path": scored.path, "counts": scored.counts}
    print(json.dumps(told) if arguments.json else f"{scored.path}: {scored.counts} by {scored.release}")
    return 0
