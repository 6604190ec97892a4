"""`kensa recalibrate`: another threshold for a release, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import Artifacts, AsJson, release_names
from kensa.cli.terminal import print_result, print_table
from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting
from tasks.core.results import RecalibrateResult

Version = Annotated[
    str | None,
    Argument(
        metavar="VERSION", help="A release, such as v3.", show_default="the champion", autocompletion=release_names
    ),
]
Target = Annotated[
    float,
    Option(
        metavar="SHARE",
        help="Target of the rule: false-positive rate, minimum precision or minimum recall, between 0 and 1.",
    ),
]
Rule = Annotated[
    Literal["target_fpr", "youden", "max_f1", "min_precision", "min_recall"],
    Option(help="Rule that sets the threshold between good and defect."),
]
Cheapest = Annotated[
    bool,
    Option("--cheapest", help="Choose the threshold of least cost; needs --prevalence, --escape, --overkill."),
]
Prevalence = Annotated[float | None, Option(metavar="SHARE", help="Share of defective parts on the line.")]
Escape = Annotated[float | None, Option(metavar="COST", help="Cost of one missed defect.")]
Overkill = Annotated[float | None, Option(metavar="COST", help="Cost of one good part that is rejected.")]
Currency = Annotated[str, Option(metavar="NAME", help="Currency of the costs, such as EUR.")]
Promote = Annotated[bool, Option("--promote", help="Make the new release the champion.")]


@with_examples(
    "kensa recalibrate --target 0.01",
    "kensa recalibrate v3 --cheapest --prevalence 0.002 --escape 500 --overkill 3 --currency EUR --promote",
)
def recalibrate(
    version: Version = None,
    target: Target = 0.05,
    rule: Rule = "target_fpr",
    cheapest: Cheapest = False,
    prevalence: Prevalence = None,
    escape: Escape = None,
    overkill: Overkill = None,
    currency: Currency = "",
    promote: Promote = False,
    artifacts: Artifacts = Path("artifacts"),
    as_json: AsJson = False,
) -> None:
    """Give a release another threshold, without training.

    The result is a new release, which names the old one as its parent.
    """
    if not 0 < target < 1:
        raise BadSetting(f"--target: expected a share between 0 and 1 such as 0.01, found {target:g}")
    cost = CostConfig(prevalence, escape, overkill, currency)
    from tasks.evaluation.costs import CHEAPEST, ThresholdRequest
    from tasks.recalibrate import recalibrate as calibrate

    request = ThresholdRequest(CHEAPEST if cheapest else rule, target, cost)
    result = calibrate(artifacts, version, request, promote)
    print_result(result, as_json, _print_result)


def _print_result(result: RecalibrateResult) -> None:
    print(f"{result.status}: {result.release}  ({result.path})")
    print(f"  {result.parent} with the threshold {result.threshold['value']:.4g}")
    rows = []
    for when, price in result.facts["prices"].items():
        rates = (f"{name.replace('_', ' ')} {price[name]['value']:.3f}" for name in ("false_alarms", "escapes"))
        cost = "cost of 10,000 parts {:,.0f} [{:,.0f}, {:,.0f}]".format(*price["cost"]) if price["cost"] else ""
        rows.append((when, f"{price['threshold']:.4g}", *rates, cost))
    print_table(rows)
    hint = "" if result.champion == result.release else f"; kensa promote {result.release} makes it the champion"
    print(f"  champion {result.champion}{hint}")
