"""`kensa drift`: do new parts still look like those that the release was made with?"""

from __future__ import annotations

import argparse
import json
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.config.run import LANGUAGES, RunConfig
from tasks.core.results import DriftResult


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

    config = RunConfig(artifacts_folder=arguments.artifacts)
    downloaded = download(resolve(arguments.source, None, config.data_path))
    found = drift(downloaded, config, arguments.release, arguments.report, arguments.language)
    print(json.dumps(found.as_json()) if arguments.json else format_result(found))
    return 0


def format_result(found: DriftResult) -> str:
    """The verdict, and the clearest charts, as text."""
    lines = [f"{found.standing}: {found.records:,} records against {found.release}  ({found.page})"]
    for chart in found.charts[:3]:
        whose = f" of mode {chart['mode']}" if chart["mode"] is not None else ""
        since = f", since part {chart['since']:,}" if chart["since"] is not None else ""
        lines.append(
            f"  {chart['title'] + whose:<28}{chart['then']:.4g} → {chart['now']:.4g}  p {chart['p']:.2g}{since}"
        )
    if found.cells is not None:
        lines.append(f"  {found.cells['drifted']:,} cells moved  p {found.cells['p']:.2g}")
    return "\n".join(lines)
