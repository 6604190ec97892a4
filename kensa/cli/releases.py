"""`kensa releases`, `promote`, `rollback` and `report`: what was released or rejected, and which is the champion."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import (
    A_RELEASE,
    ARTIFACTS,
    AS_JSON,
    BY,
    DATA,
    LANGUAGE,
    LINE,
    REASON,
    VERIFY_KEY,
    VERSION,
    line_artifacts,
)
from kensa.cli.terminal import print_result, print_table, send_champion
from tasks.config.run import Language
from tasks.core.authorship import Authorship
from tasks.core.results import ReportResult
from tasks.registry import champion
from tasks.registry.candidates import candidates, require_no_candidate
from tasks.registry.frozen_sets import frozen_sets
from tasks.registry.manifest import ReleaseManifest
from tasks.registry.releases import VERSION_NAME, Release, get_release, rejected_drafts, release_folders
from tasks.registry.releases import releases as all_releases
from tasks.report.notice import DETECTION_UNKNOWN, overruled_sentence

MAX_REJECTED = 5  # drafts that are printed, the newest; --json has all
JSON_KEYS = ("created", "train", "test", "metrics", "compared_with", "frozen", "comparison")
TITLES = ("", "release", "created", "source", "escapes", "false alarms", "auroc", "mode accuracy", "comparison")
METRICS = ("auroc", "mode_accuracy")


@with_examples("kensa releases", "kensa releases --line boards", "kensa releases --json | jq .champion")
def releases(artifacts: Path = ARTIFACTS, line: str | None = LINE, as_json: bool = AS_JSON) -> None:
    """List releases and rejected models with their metrics.

    The oldest release comes first, and * marks the champion. Of the rejected models the newest are listed.
    """
    artifacts = line_artifacts(line, artifacts)
    current = champion.champion_state(artifacts).champion
    released, rejected = all_releases(artifacts), rejected_drafts(artifacts)
    decided = {entry.release.version: entry.sentence for entry in candidates(artifacts)}
    if as_json:
        print(json.dumps(_as_json(artifacts, current, released, rejected, decided)))
        return
    if not released:
        print(f"no releases in {artifacts}; kensa retrain makes the first")
    rows = [
        _row("*" if release.version == current else "", release.version, release, decided.get(release.version))
        for release in released
    ]
    rows += [_row("-", "rejected", draft) for draft in rejected[-MAX_REJECTED:]]
    if rows:
        print_table(rows, TITLES, bold=next((number for number, row in enumerate(rows) if row[0] == "*"), None))
    if len(rejected) > MAX_REJECTED:
        print(f"{len(rejected) - MAX_REJECTED} older rejected models; --json lists them")


@with_examples(
    "kensa promote v3",
    'kensa promote v2 --line boards --reason "v3 stops too many good parts"',
    'kensa promote 3f2a1b --by "M. Sato" --reason "the new lot needs it today"',
)
def promote(
    version: str = VERSION,
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Verify the checksums of a release, and make it the champion.

    Also of a model that the gate rejected, by the name of its draft: then --reason says why, and everything that shows
    the model shows it, too.
    """
    author, folder = Authorship.of(by, reason), line_artifacts(line, artifacts)
    if not VERSION_NAME.fullmatch(version) and re.fullmatch("[0-9a-f]{3,}", version):
        from tasks.overrule import promote_draft

        _print_champion(promote_draft(folder, version, author), as_json)
    else:
        if version in release_folders(folder):
            require_no_candidate(folder, get_release(folder, version), author)
        _print_champion(champion.promote(folder, version, author), as_json)
    send_champion(folder, line)


@with_examples("kensa rollback", 'kensa rollback --line boards --by "M. Sato" --reason "false alarms on lot 7"')
def rollback(
    by: str | None = BY,
    reason: str | None = REASON,
    line: str | None = LINE,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Make the previous champion the champion again."""
    folder = line_artifacts(line, artifacts)
    _print_champion(champion.rollback(folder, Authorship.of(by, reason)), as_json)
    send_champion(folder, line)


@with_examples("kensa report v3 --language ja", "kensa report --out monday.html")
def report(
    version: str | None = Argument(None, help="A release, such as v3.", show_default="the champion", **A_RELEASE),
    language: Language | None = LANGUAGE,
    out: Path | None = Option(None, metavar="FILE", help="The page.", show_default="VERSION-report.html"),
    data: Path = DATA,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Render the report of a release anew.

    In another language, or as this version of Kensa shows it. The release itself is not changed. Its figures are
    those that were measured then; the pictures are drawn from its record bank in the data folder.
    """
    release = champion.select_release(artifacts, version)  # a mistyped name is refused before TensorFlow starts
    from tasks.core.files import ensure_writable, write_text
    from tasks.pages.release import render_release

    page = out or Path(f"{release.version}-report.html")
    ensure_writable(page.parent)
    write_text(page, render_release(release, data, language or release.manifest.language))
    result = ReportResult("rendered", release.version, str(page), language or release.manifest.language)
    print_result(result, as_json, lambda result: print(f"{result.status}: {result.path}"))


def _print_champion(release: Release, as_json: bool) -> None:
    print(json.dumps({"champion": release.version}) if as_json else f"champion: {release.version}")


def _as_json(
    artifacts: Path,
    current: str | None,
    released: list[Release],
    rejected: list[Release],
    decided: dict[str, str],
) -> dict[str, Any]:
    rows = [
        {"version": release.version, "champion": release.version == current, **_summary(release)}
        | _decisions(release, decided)
        for release in released
    ]
    drafts = [{**_summary(draft), "reasons": list(draft.manifest.reasons)} for draft in rejected]
    return {"champion": current, "releases": rows, "rejected": drafts, "frozen": frozen_sets(artifacts)}


def _decisions(release: Release, decided: dict[str, str]) -> dict[str, Any]:
    """What people decided: of a candidate what became of it, of a draft that was promoted who did it, and why."""
    entries = {"candidate": decided.get(release.version), "overruled": release.manifest.overruled}
    return {name: value for name, value in entries.items() if value is not None}


def _summary(release: Release) -> dict[str, Any]:
    """What `--json` holds of each."""
    entries = release.manifest.as_json()
    return {"path": str(release.path), **{name: entries[name] for name in JSON_KEYS}}


def _row(mark: str, name: str, release: Release, decided: str | None = None) -> list[str]:
    manifest = release.manifest
    metrics = [_figure(manifest.metrics.get(name)) for name in METRICS]
    tpr, fpr = (manifest.metrics.get(name) for name in ("good_tpr", "good_fpr"))
    errors = [_figure(None if tpr is None else 1 - tpr), _figure(fpr)]
    source = f"{manifest.train.source}@{manifest.train.revision[:12]}"
    return [mark, name, _utc(manifest.created), source, *errors, *metrics, _comparison(manifest, decided)]


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _utc(created: str | None) -> str:
    """The time to the minute, with its zone: people in several of them read the list."""
    if not created:
        return ""
    return f"{datetime.datetime.fromisoformat(created).astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _comparison(manifest: ReleaseManifest, decided: str | None) -> str:
    """What people decided, escapes and false alarms against the champion, if they were compared, and the verdict."""
    comparison = manifest.comparison or {}
    rates = [comparison["rates"]] if comparison.get("escapes") else []
    people = [f"a candidate that {decided}"] if decided else []
    if manifest.zero:
        people.append(DETECTION_UNKNOWN)
    if overruled := overruled_sentence(manifest):
        people.append(overruled)
    return "; ".join([*people, *rates, _verdict(manifest)])


def _verdict(manifest: ReleaseManifest) -> str:
    """Why the model was released or rejected; empty for a release that is older than comparisons."""
    if manifest.reasons:
        return "; ".join(manifest.reasons)
    if manifest.parent_version and manifest.recalibrated:
        return f"{manifest.parent_version} with another threshold, {manifest.recalibrated['rule']}"
    if manifest.comparison:
        return str(manifest.comparison.get("verdict"))
    frozen = manifest.frozen
    return f"the first of its line, evaluated on {frozen.records} test records of {frozen.version}" if frozen else ""
