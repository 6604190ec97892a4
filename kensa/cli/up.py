"""`kensa up`: everything that runs unattended, in one process tree."""

from __future__ import annotations

import argparse
from typing import Any


def words(commands: Any) -> None:
    """The command's words."""
    text = "run server, worker, deployments and receiver until Ctrl-C; in Kensa's own folder"
    command = commands.add_parser("up", help=text, description=text)
    command.add_argument("--port", type=int, default=4200, help="port of the Prefect server and its UI")
    command.add_argument("--webhook-port", type=int, default=4280, metavar="PORT", help="port of the receiver")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa up`."""
    from flows.service.server import set_library_defaults
    from flows.service.up import up as serve

    set_library_defaults()
    return serve(arguments.port, arguments.webhook_port)
