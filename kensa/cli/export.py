"""`kensa export`: a release as one file that judges without Kensa and Keras."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word

FORMATS = ("onnx", "savedmodel")


def words(commands: Any) -> None:
    """The command's words."""
    text = "write a release as ONNX or SavedModel, if the file gives the release's own verdicts"
    command = commands.add_parser("export", help=text, description=text)
    command.add_argument("version", metavar="VERSION", help="such as v3")
    command.add_argument("--format", choices=FORMATS, default="onnx", help="what is written; onnx by default")
    command.add_argument("--out", metavar="DIR", help="an empty or new folder; exports/VERSION-FORMAT in --artifacts")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa export VERSION`: plain functions, for it takes seconds."""
    from flows.service.server import set_library_defaults

    set_library_defaults()
    from tasks.registry.releases import get_release

    get_release(Path(arguments.artifacts), arguments.version)  # told at once: TensorFlow takes seconds to start
    from tasks.export import export

    out = Path(arguments.out) if arguments.out else None
    done = export(Path(arguments.artifacts), arguments.version, arguments.format, out)
    if arguments.json:
        print(json.dumps(asdict(done)))
        return 0
    parity = done.parity
    print(f"{done.status}: {done.release} as {done.format} in {done.path}")
    print(
        f"  the release's own verdicts on {parity.records} maps, distances within {parity.largest_difference:.1g} "
        f"({parity.tolerance:g} allowed)"
    )
    return 0
