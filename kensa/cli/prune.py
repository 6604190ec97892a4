"""`kensa prune`: frees the disk of what no release, draft or run needs, and the server of old runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.core.errors import BadSetting


def words(commands: Any) -> None:
    """The command's words."""
    text = "remove stages, damaged folders, drafts and sweeps that nothing needs; never a release"
    command = commands.add_parser("prune", help=text, description=text)
    command.add_argument("--keep", type=int, default=5, metavar="N", help="of each kind keep the N newest, too; 5")
    command.add_argument("--older-than", type=float, default=2, metavar="DAYS", help="touch nothing younger; 2")
    command.add_argument(
        "--runs", type=float, metavar="DAYS", help="also delete the server's ended runs older than that"
    )
    command.add_argument("--dry-run", action="store_true", help="tell what would go, and change nothing")
    command.add_argument("--data", default="data", metavar="DIR", help="folder of the caches and stages")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa prune`."""
    from tasks.registry.prune import find_removable, prune

    for name, value, least in (("--keep", arguments.keep, 0), ("--older-than", arguments.older_than, 0)):
        _require(name, value, least)
    if arguments.runs is not None:
        _require("--runs", arguments.runs, 1)
    places = Path(arguments.data), Path(arguments.artifacts)
    work = find_removable if arguments.dry_run else prune
    found = work(*places, arguments.keep, arguments.older_than)
    runs = None if arguments.runs is None else _runs(arguments.runs, arguments.dry_run)
    freed = sum(one.size for one in found)
    if arguments.json:
        gone = [{"path": str(one.path), "why": one.why, "bytes": one.size} for one in found]
        print(json.dumps({"dry_run": arguments.dry_run, "bytes": freed, "gone": gone, "runs": runs}))
        return 0
    for one in found:
        print(f"{_shown(one.size):>10}  {one.path}  ({one.why})")
    would = "would be freed" if arguments.dry_run else "freed"
    print(f"{_shown(freed)} {would}, {len(found)} folders and files")
    if runs is not None:
        print(f"{runs} ended runs {'would be ' if arguments.dry_run else ''}deleted on the server")
    return 0


def _require(name: str, value: float, least: int) -> None:
    if not value >= least:
        raise BadSetting(f"{name}: expected a number of at least {least}, found {value}")


def _runs(days: float, dry: bool) -> int:
    from flows.service.retention import prune_runs
    from flows.service.server import configured_server, require_server

    require_server(needed=True)
    return prune_runs(configured_server(), days, dry)


def _shown(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
