"""`kensa drift`: do new parts still look like those that the release was made with?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.config.run import DATA_FOLDER, LANGUAGES
from tasks.core.inspection import DriftResult


def words(commands: Any) -> None:
    """The command's words."""
    text = "compare new parts with those that a release was made with: level, shape, score, cells"
    command = commands.add_parser("drift", help=text, description=text)
    command.add_argument("source", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo")
    command.add_argument("--release", metavar="VERSION", help="such as v3; the champion by default")
    command.add_argument("--report", default="drift.html", metavar="FILE", help="the page with the control charts")
    command.add_argument("--language", choices=LANGUAGES, help="of the page; the release's own by default")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa drift SOURCE`: 0 whatever the verdict, which is a finding and no failure."""
    from flows.service.server import set_library_defaults

    set_library_defaults()
    from tasks.download import download, resolve
    from tasks.drift import drift

    source, artifacts = download(resolve(arguments.source, None, Path(DATA_FOLDER))), Path(arguments.artifacts)
    page, options = Path(arguments.report), {"version": arguments.release, "language": arguments.language}
    result = drift(source, artifacts, page, **options)
    print(json.dumps(result.as_json()) if arguments.json else format_result(result))
    return 0


def format_result(result: DriftResult) -> str:
    """The verdict, and the clearest charts, as text."""
    lines = [f"{result.status}: {result.records:,} records against {result.release}  ({result.page})"]
    for chart in result.charts[:3]:
        title = chart.title if chart.mode is None else f"{chart.title} of mode {chart.mode}"
        since = "" if chart.since is None else f", since part {chart.since:,}"
        lines.append(f"  {title:<28}{chart.then:.4g} → {chart.now:.4g}  p {chart.p:.2g}{since}")
    if result.cells is not None:
        lines.append(f"  {result.cells.drifted:,} cells moved  p {result.cells.p:.2g}")
    return "\n".join(lines)
