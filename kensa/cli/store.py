"""`kensa store`: stages, releases and pointer at an address that several machines share."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word


def words(commands: Any) -> None:
    """The command's words."""
    text = "bring stages, releases and the champion to a store that machines share, or from it"
    command = commands.add_parser("store", help=text, description=text)
    command.add_argument("way", choices=("push", "pull"), help="to the store, or from it")
    command.add_argument("address", metavar="ADDRESS", help="such as s3://bucket/folder, or file:///mnt/store")
    command.add_argument("--data", default="data", metavar="DIR", help="folder of the caches and stages")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa store push|pull ADDRESS`."""
    from tasks.registry.sync import pull, push

    way = {"push": push, "pull": pull}[arguments.way]
    done = way(Path(arguments.data), Path(arguments.artifacts), arguments.address)
    told = f"{done.status}: {len(done.folders)} folders, champion {done.champion or 'none yet'}"
    print(json.dumps(asdict(done)) if arguments.json else told)
    return 0
