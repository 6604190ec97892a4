"""`kensa releases`: what was released, what was rejected, and why. Standard library alone, as it must be quick."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.registry.champion import champion_state
from tasks.registry.frozen_sets import frozen_sets
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.releases import Release, rejected_drafts, releases

MOST_REJECTED = 5  # drafts told as text, the newest; --json has all
SHOWN_KEYS = ("created", "train", "test", "metrics", "compared_with", "frozen", "comparison")


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
    champion, known, refused = champion_state(artifacts).champion, releases(artifacts), rejected_drafts(artifacts)
    if arguments.json:
        rows = [{"version": r.version, "champion": r.version == champion, **_summary(r)} for r in known]
        drafts = [{**_summary(draft), "reasons": list(draft.manifest.reasons)} for draft in refused]
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
        for reason in draft.manifest.reasons:
            print(f"      {reason}")
    if len(refused) > MOST_REJECTED:
        print(f"  {len(refused) - MOST_REJECTED} more were rejected before; --json lists them")
    return 0


def _summary(release: Release) -> dict[str, Any]:
    entries = release.manifest.as_json()
    return {"path": str(release.path), **{name: entries[name] for name in SHOWN_KEYS}}


def _line(release: Release) -> str:
    manifest = release.manifest
    source = f"{manifest.train.source}@{manifest.train.revision[:12]}"
    return (
        f"{(manifest.created or '')[:16].replace('T', ' '):<16}  {source:<40} "
        f"auroc {_metric(manifest, 'auroc')}  mode accuracy {_metric(manifest, 'mode_accuracy')}"
    )


def _metric(manifest: ReleaseManifest, name: str) -> str:
    return f"{manifest.metrics[name]:.3f}" if name in manifest.metrics else "not told"


def _print_comparison(release: Release) -> None:
    manifest = release.manifest
    if manifest.parent_version and manifest.recalibrated:
        print(f"      {manifest.parent_version} with another threshold, {manifest.recalibrated['rule']}")
    elif manifest.comparison:
        print(f"      {manifest.comparison.get('verdict')}")
    elif frozen := manifest.frozen:
        print(f"      the first of its line, judged on {frozen.records} test records of {frozen.version}")
