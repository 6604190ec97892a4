"""`kensa watch`: the look at every line's dataset, without a worker."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from tasks.core.errors import ServerUnreachable, SomeLinesFailed


def words(commands: Any) -> None:
    """The command's words."""
    text = "look for new dataset versions and tell Prefect of them, again and again"
    command = commands.add_parser("watch", help=text, description=text)
    command.add_argument("--once", action="store_true", help="look once and end")
    command.add_argument("--every", type=float, default=60, metavar="SECONDS", help="pause between two looks")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa watch`: needs a server, which starts the retraining."""
    from flows.service.server import require_server, set_library_defaults

    set_library_defaults()
    require_server(needed=True)
    import httpx

    from flows.watch import watch as look

    while True:
        try:
            require_server(needed=True)
            for version in look():
                print(f"told: {version}", flush=True)
        except (SomeLinesFailed, ServerUnreachable, httpx.HTTPError) as error:
            if arguments.once:
                raise
            said = f"the Prefect server went away ({error})" if isinstance(error, httpx.HTTPError) else str(error)
            print(f"kensa: {said}; looking again in {arguments.every:g} s", file=sys.stderr, flush=True)
        if arguments.once:
            return 0
        time.sleep(arguments.every)
