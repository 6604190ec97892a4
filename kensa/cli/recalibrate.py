"""`kensa recalibrate`: another threshold for a release, without training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from kensa.cli.options import artifacts_word, json_word
from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting
from tasks.core.results import RecalibrateResult

RULES = ("target_fpr", "youden", "max_f1", "min_precision", "min_recall")


def words(commands: Any) -> None:
    """The command's words."""
    text = "give a release another threshold, as a new release that names its parent; nothing is trained"
    command = commands.add_parser("recalibrate", help=text, description=text)
    command.add_argument("version", nargs="?", metavar="VERSION", help="such as v3; the champion by default")
    command.add_argument("--target", type=float, default=0.05, help="of the rule: 0.01 of the good parts stopped")
    command.add_argument("--rule", choices=RULES, default="target_fpr", help="how the threshold is found")
    command.add_argument("--cheapest", action="store_true", help="the threshold of least cost; needs the three below")
    command.add_argument("--prevalence", type=float, metavar="SHARE", help="share of defective parts on the line")
    command.add_argument("--escape", type=float, metavar="COST", help="of a defect that passes as good")
    command.add_argument("--overkill", type=float, metavar="COST", help="of a good part that is stopped")
    command.add_argument("--currency", default="", metavar="NAME", help="of the costs, such as EUR")
    command.add_argument("--promote", action="store_true", help="make the new release the champion")
    artifacts_word(command)
    json_word(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """`kensa recalibrate`."""
    if not 0 < arguments.target < 1:
        raise BadSetting(f"--target: expected a share between 0 and 1 such as 0.01, found {arguments.target:g}")
    cost = CostConfig(arguments.prevalence, arguments.escape, arguments.overkill, arguments.currency)
    from tasks.evaluation.costs import CHEAPEST, ThresholdRequest
    from tasks.recalibrate import recalibrate

    asked = ThresholdRequest(CHEAPEST if arguments.cheapest else arguments.rule, arguments.target, cost)
    made = recalibrate(Path(arguments.artifacts), arguments.version, asked, arguments.promote)
    print(json.dumps(made.as_json()) if arguments.json else format_result(made))
    return 0


def format_result(made: RecalibrateResult) -> str:
    """The release, and what its threshold does, as text."""
    lines = [f"{made.status}: {made.release}  ({made.path})"]
    lines.append(f"  {made.parent} with the threshold {made.threshold['value']:.4g}")
    for when, price in made.facts["prices"].items():
        rates = (price[name]["value"] for name in ("false_alarms", "escapes"))
        line = f"  {when:<8}{price['threshold']:<10.4g}" + "false alarms {:.3f}  escapes {:.3f}".format(*rates)
        if price["cost"]:
            line += "  cost of 10,000 parts {:,.0f} [{:,.0f}, {:,.0f}]".format(*price["cost"])
        lines.append(line)
    more = "" if made.champion == made.release else f"; kensa promote {made.release} makes it the champion"
    return "\n".join([*lines, f"  champion {made.champion}{more}"])
