"""`kensa promote` and `kensa rollback`: the champion moved by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word


def words(commands: Any) -> None:
    """Both commands' words."""
    for name, run, text in (
        ("promote", promote, "make a release the champion"),
        ("rollback", rollback, "make the champion before the present one the champion again"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        artifacts_word(command)
        json_word(command)
        if name == "promote":
            command.add_argument("version", metavar="VERSION", help="such as v3")
        command.set_defaults(run=run)


def promote(arguments: argparse.Namespace) -> int:
    """`kensa promote VERSION`."""
    from tasks.registry.champion import promote as move

    return _moved(move(Path(arguments.artifacts), arguments.version), arguments.json)


def rollback(arguments: argparse.Namespace) -> int:
    """`kensa rollback`."""
    from tasks.registry.champion import rollback as move

    return _moved(move(Path(arguments.artifacts)), arguments.json)


def _moved(release: Any, as_json: bool) -> int:
    print(json.dumps({"champion": release.version}) if as_json else f"champion: {release.version}")
    return 0
