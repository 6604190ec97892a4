"""`kensa push` and `kensa store`: releases for other machines and people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from typer import Argument, Option, confirm

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, DATA, VERIFY_KEY, VERSION
from kensa.cli.terminal import print_result
from tasks.core.errors import BadSetting
from tasks.core.results import PushResult, StoreResult

MAPS_IN = "anchors.npz, gallery.npz, labels.parquet, reference.npz and the pages"


@with_examples("kensa push v3 acme/board-model", "kensa push v3 acme/board-model --public")
def push(
    version: str = VERSION,
    repository: str = Argument(
        metavar="REPOSITORY", help="org/name; a repository that does not exist is created, private."
    ),
    public: bool = Option(
        False, "--public", help="Make a new repository public; with the release, maps of your parts are public, too."
    ),
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Publish a release to a model repository of the Hub.

    The release gets a tag of its name. It needs an HF_TOKEN that may write to the repository. A terminal asks before
    anything becomes public.
    """
    if public:
        _confirm_public(version)
    from tasks.registry.hub_push import push as publish

    print_result(publish(artifacts, version, repository, public), as_json, _print_push)


def _confirm_public(version: str) -> None:
    """Say what becomes public, and ask where somebody can answer; BadSetting for a no."""
    print(f"kensa: {MAPS_IN} of {version} hold maps of your parts, and become public", file=sys.stderr)
    if sys.stdin.isatty() and not confirm("Make them public?", err=True):
        raise BadSetting("--public: not confirmed; nothing was sent")


def _print_push(result: PushResult) -> None:
    print(f"{result.status}: {result.release} at {result.repository}, tag {result.tag} ({result.commit[:12]})")


@with_examples("kensa store push s3://acme/kensa", "kensa store pull file:///mnt/store")
def store(
    way: Literal["push", "pull"] = Argument(metavar="WAY", help="push to the store, pull from it."),
    address: str = Argument(metavar="ADDRESS", help="Such as s3://bucket/folder, or file:///mnt/store."),
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Copy releases and stages to a shared store, or from it.

    Several machines then work with the same releases. Nothing in the store is overwritten.
    """
    from tasks.registry import sync
    from tasks.review.shared_decisions import pull_decisions, push_decisions

    synchronise, share_decisions = {"push": (sync.push, push_decisions), "pull": (sync.pull, pull_decisions)}[way]
    result = synchronise(data, artifacts, address)
    share_decisions(artifacts, address)
    print_result(result, as_json, _print_store)


def _print_store(result: StoreResult) -> None:
    print(f"{result.status}: {len(result.folders)} folders, champion {result.champion or 'none yet'}")
