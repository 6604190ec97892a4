"""`kensa score`: new parts judged by the champion, or by a release of one's choice."""

from __future__ import annotations

import argparse
import json
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.config.run import LANGUAGES, RunConfig
from tasks.core.results import ScoreResult


def words(commands: Any) -> None:
    """The command's words."""
    text = "judge the records of a source with the champion, or another release"
    command = commands.add_parser("score", help=text, description=text)
    command.add_argument("source", metavar="SOURCE", help="org/name[@revision] on the Hub, a folder, or demo")
    command.add_argument("--release", metavar="VERSION", help="such as v3; the champion by default")
    command.add_argument("--out", default="verdicts.parquet", metavar="FILE", help="where the verdicts go")
    command.add_argument("--report", metavar="FILE", help="a page that says why, such as verdicts.html")
    command.add_argument("--against", metavar="VERSION", help="another release: which verdicts does it change?")
    command.add_argument("--language", choices=LANGUAGES, help="of the page; the release's own by default")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa score SOURCE`: plain functions, for Prefect has nothing to add to a look at some parts."""
    from flows.service.server import set_library_defaults

    set_library_defaults()
    from tasks.download import download, resolve
    from tasks.score import score as judge

    config = RunConfig(artifacts_folder=arguments.artifacts)
    downloaded = download(resolve(arguments.source, None, config.data_path))
    scored = judge(
        downloaded, config, arguments.release, arguments.out, arguments.report, arguments.against, arguments.language
    )
    print(json.dumps(scored.as_json()) if arguments.json else format_result(scored))
    return 0


def format_result(scored: ScoreResult) -> str:
    """The verdicts' summary as a few lines of text."""
    counts = ", ".join(f"{count:,} {name}" for name, count in scored.counts.items())
    lines = [f"{scored.path}: {counts}, by {scored.release}"]
    if scored.flips:
        changed = ", ".join(f"{one['count']:,} {one['from']} → {one['to']}" for one in scored.flips["pairs"])
        lines.append(f"  {scored.flips['flipped']:,} changed from {scored.flips['against']}: {changed or 'none'}")
    if scored.page:
        lines.append(f"  why: {scored.page}")
    return "\n".join(lines + (figure_lines(scored.figures, scored.release) if scored.figures else []))


def figure_lines(figures: dict[str, Any], release: str) -> list[str]:
    """What the verdicts are worth, by the labels."""
    lines = [f"  {seen:,} records it was trained on are left out of:"] if (seen := figures["seen"]) else []
    for name, of in (("false_alarms", "good parts"), ("escapes", "defects"), ("mode_accuracy", "known modes")):
        if found := figures[name]:
            low, high = found["interval"]
            lines.append(
                f"  {name.replace('_', ' '):<16}{found['rate']:.3f} [{low:.3f}, {high:.3f}]  "
                f"{found['count']:,} of {found['of']:,} {of}"
            )
    if figures["good_auroc"] is not None:
        low, high = figures["good_auroc_interval"]
        lines.append(f"  {'good auroc':<16}{figures['good_auroc']:.3f} [{low:.3f}, {high:.3f}]")
    if strange := figures["strange_modes"]:
        lines.append(f"  {sum(strange.values()):,} records of modes that {release} does not know")
    return lines
