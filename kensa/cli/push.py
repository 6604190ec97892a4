"""`kensa push`: a release in a model repository of the Hub."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word


def words(commands: Any) -> None:
    """The command's words."""
    text = "publish a release to a model repository of the Hub, under a tag of its name"
    command = commands.add_parser("push", help=text, description=text)
    command.add_argument("version", metavar="VERSION", help="such as v3")
    command.add_argument("repository", metavar="REPOSITORY", help="org/name; made, and private, where there is none")
    command.add_argument("--public", action="store_true", help="make a new repository public")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa push VERSION org/name`."""
    from tasks.registry.hub_push import push

    done = push(Path(arguments.artifacts), arguments.version, arguments.repository, arguments.public)
    told = f"{done.status}: {done.release} at {done.repository}, tag {done.tag} ({done.commit[:12]})"
    print(json.dumps(asdict(done)) if arguments.json else told)
    return 0
