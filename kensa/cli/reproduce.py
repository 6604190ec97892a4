"""`kensa reproduce`: a release trained again from its manifest, and compared."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.core.results import ReproduceResult

CODES = {"equal": 0, "equivalent": 0, "differs": 1}


def words(commands: Any) -> None:
    """The command's words."""
    text = "train a release again from its manifest, and compare weights and figures"
    ends = (
        "Exit code 0 where it is equal (bit for bit) or equivalent (figures within the intervals), 1 where it differs."
    )
    command = commands.add_parser("reproduce", help=text, description=f"{text[0].upper()}{text[1:]}. {ends}")
    command.add_argument("version", metavar="VERSION", help="such as v3")
    command.add_argument("--data", metavar="DIR", help="a folder whose caches may be used; else all is made anew")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa reproduce VERSION`; a release that cannot be read is told before Prefect is started."""
    from flows.service.server import require_server, set_library_defaults

    set_library_defaults()
    from tasks.registry.reproduction import find_target

    find_target(Path(arguments.artifacts), arguments.version)
    require_server()
    from flows.reproduce import reproduce

    done = reproduce(arguments.version, arguments.artifacts, arguments.data)
    _print_reproduced(done, arguments.json)
    return CODES[done.verdict]


def _print_reproduced(done: ReproduceResult, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(done)))
        return
    print(f"{done.verdict}: {done.release}, weights {done.weights['again']}")
    for name, told in done.figures.items():
        low, high = told["interval"]
        print(f"  {name.replace('_', ' '):<26}{told['release']:.4f}, now {told['again']:.4f}  [{low:.4f}, {high:.4f}]")
    for difference in done.differences:
        print(f"  differs: {difference}")
