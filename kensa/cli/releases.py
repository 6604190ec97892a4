"""`kensa releases`: what was released, what was rejected, and why. Standard library alone, as it must be quick."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.registry.champion import champion_state
from tasks.registry.frozen_sets import frozen_sets
from tasks.registry.releases import Release, rejected_drafts, releases

MOST_REJECTED = 5  # drafts told as text, the newest; --json has all
TOLD = ("created", "train", "test", "metrics", "compared_with")
SINCE = ("frozen", "comparison")  # older manifests have neither


def words(commands: Any) -> None:
    """The command's words."""
    text = "list the releases and rejected drafts with data, figures and reasons"
    command = commands.add_parser("releases", help=text, description=text)
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """The releases, oldest first, with the champion marked; then the newest rejected drafts with their reasons."""
    artifacts = Path(arguments.artifacts)
    champion, known, refused = champion_state(artifacts)["champion"], releases(artifacts), rejected_drafts(artifacts)
    if arguments.json:
        rows = [{"version": r.version, "champion": r.version == champion, **_summary(r)} for r in known]
        drafts = [{**_summary(draft), "reasons": draft.manifest["reasons"]} for draft in refused]
        sets = frozen_sets(artifacts)
        print(json.dumps({"champion": champion, "releases": rows, "rejected": drafts, "frozen": sets}))
        return 0
    if not known:
        print(f"no releases in {artifacts}; kensa retrain makes the first")
    for release in known:
        print(f"{'*' if release.version == champion else ' '} {release.version:<6}{_line(release)}")
        _print_comparison(release)
    for draft in refused[-MOST_REJECTED:]:
        print(f"- rejected  {_line(draft)}")
        for reason in draft.manifest["reasons"]:
            print(f"      {reason}")
    if len(refused) > MOST_REJECTED:
        print(f"  {len(refused) - MOST_REJECTED} more were rejected before; --json lists them")
    return 0


def _summary(release: Release) -> dict[str, Any]:
    told = {name: release.manifest.get(name) for name in (*TOLD, *SINCE)}
    return {"path": str(release.path), **told}


def _line(release: Release) -> str:
    told = release.manifest
    source = f"{told['train']['source']}@{told['train']['revision'][:12]}"
    return (
        f"{told.get('created', '')[:16].replace('T', ' '):<16}  {source:<40} "
        f"auroc {_figure(told, 'auroc')}  mode accuracy {_figure(told, 'mode_accuracy')}"
    )


def _figure(told: dict[str, Any], name: str) -> str:
    return f"{told['metrics'][name]:.3f}" if name in told["metrics"] else "not told"


def _print_comparison(release: Release) -> None:
    frozen, comparison = (release.manifest.get(name) for name in SINCE)
    if parent := release.manifest.get("parent"):
        print(f"      {parent['version']} with another threshold, {release.manifest['recalibrated']['rule']}")
        return
    if comparison:
        print(f"      {comparison.get('verdict')}")
    elif frozen:
        told = f"{frozen.get('records')} test records of {frozen.get('version')}"
        print(f"      the first of its line, judged on {told}")
