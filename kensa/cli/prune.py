"""`kensa prune`: delete what nothing refers to, on the disk and on the server."""

from __future__ import annotations

import json
from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, BY, DATA, REASON
from kensa.cli.terminal import print_table
from tasks.core.authorship import Authorship


@with_examples("kensa prune --dry-run", "kensa prune --keep 2 --older-than 30 --runs 90 --traces 3650")
def prune(
    keep: int = Option(5, min=0, metavar="N", help="Keep the N newest of each kind."),
    older_than: float = Option(2, min=0, metavar="DAYS", help="Delete only what is older than that."),
    runs: float | None = Option(
        None, min=1, metavar="DAYS", help="Also delete the server's runs that ended longer ago."
    ),
    traces: float | None = Option(
        None, min=1, metavar="DAYS", help="Also delete verdicts kept for kensa trace that are older."
    ),
    by: str | None = BY,
    reason: str | None = REASON,
    dry_run: bool = Option(False, "--dry-run", help="Print what would be deleted, and delete nothing."),
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Delete files that nothing refers to; never a release.

    These are stages, damaged folders, rejected models, sweeps, and what killed processes left.
    """
    from tasks.registry import prune as pruning

    author = Authorship.of(by, reason)
    if dry_run:
        removable = pruning.find_removable(data, artifacts, keep, older_than, traces)
    else:
        removable = pruning.prune(data, artifacts, keep, older_than, author, traces)
    ended = None if runs is None else _prune_runs(runs, dry_run)
    size = sum(entry.size for entry in removable)
    if as_json:
        gone = [{"path": str(entry.path), "why": entry.why, "bytes": entry.size} for entry in removable]
        print(json.dumps({"dry_run": dry_run, "bytes": size, "gone": gone, "runs": ended}))
        return
    if removable:
        print_table([(_format_size(entry.size), str(entry.path), entry.why) for entry in removable])
    would = "would be " if dry_run else ""
    print(f"{_format_size(size)} {would}freed, {len(removable)} folders and files")
    if ended is not None:
        print(f"{ended} ended runs {would}deleted on the server")


def _prune_runs(days: float, dry_run: bool) -> int:
    from flows.service.server import configured_server, require_server

    require_server(needed=True)
    from flows.service.retention import prune_runs

    return prune_runs(configured_server(), days, dry_run)


def _format_size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
