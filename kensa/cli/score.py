"""`kensa score`: new parts judged by the champion, or by a release of one's choice."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.config.run import DATA_FOLDER, LANGUAGES
from tasks.core.inspection import LabelledResult, ScoreRequest, ScoreResult


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

    request = ScoreRequest(
        out=Path(arguments.out),
        page=Path(arguments.report) if arguments.report else None,
        version=arguments.release,
        against=arguments.against,
        language=arguments.language,
    )
    source = download(resolve(arguments.source, None, Path(DATA_FOLDER)))
    scored = judge(source, Path(arguments.artifacts), request)
    print(json.dumps(scored.as_json()) if arguments.json else format_result(scored))
    return 0


def format_result(scored: ScoreResult) -> str:
    """The verdicts' summary as a few lines of text."""
    counts = ", ".join(f"{count:,} {name}" for name, count in scored.counts.items())
    lines = [f"{scored.path}: {counts}, by {scored.release}"]
    if scored.flips:
        changes = ", ".join(f"{pair.count:,} {pair.before} → {pair.after}" for pair in scored.flips.pairs)
        lines.append(f"  {scored.flips.flipped:,} changed from {scored.flips.against}: {changes or 'none'}")
    if scored.page:
        lines.append(f"  why: {scored.page}")
    return "\n".join(lines + (figure_lines(scored.figures, scored.release) if scored.figures else []))


def figure_lines(labelled: LabelledResult, release: str) -> list[str]:
    """How well the verdicts agree with the labels."""
    lines = []
    if labelled.seen:
        lines.append(f"  metrics exclude {labelled.seen:,} training, validation and calibration records")
    rates = {
        ("false alarms", "good parts"): labelled.false_alarms,
        ("escapes", "defects"): labelled.escapes,
        ("mode accuracy", "known modes"): labelled.mode_accuracy,
    }
    for (name, of), rate in rates.items():
        if rate is not None:
            low, high = rate.interval
            lines.append(f"  {name:<16}{rate.rate:.3f} [{low:.3f}, {high:.3f}]  {rate.count:,} of {rate.of:,} {of}")
    if labelled.good_auroc is not None:
        low, high = labelled.good_auroc_interval
        lines.append(f"  {'good auroc':<16}{labelled.good_auroc:.3f} [{low:.3f}, {high:.3f}]")
    if strange_modes := labelled.strange_modes:
        lines.append(f"  {sum(strange_modes.values()):,} records of modes that {release} does not know")
    return lines
