"""`kensa recalibrate`: another threshold for a release, without training."""

from __future__ import annotations

from pathlib import Path

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import A_RELEASE, ARTIFACTS, AS_JSON, BY, REASON, VERIFY_KEY
from kensa.cli.terminal import print_result, print_table, send_champion
from tasks.config.run import CostConfig, ThresholdRule
from tasks.core.authorship import Authorship
from tasks.core.errors import BadSetting
from tasks.core.results import RecalibrateResult


@with_examples(
    "kensa recalibrate --target 0.01",
    "kensa recalibrate v3 --cheapest --prevalence 0.002 --escape 500 --overkill 3 --currency EUR --promote",
)
def recalibrate(
    version: str | None = Argument(None, help="A release, such as v3.", show_default="the champion", **A_RELEASE),
    target: float = Option(
        0.05, metavar="SHARE", help="Target of the rule: false-positive rate, minimum precision or minimum recall."
    ),
    rule: ThresholdRule = Option("target_fpr", help="Rule that sets the threshold between good and defect."),
    cheapest: bool = Option(
        False,
        "--cheapest",
        help="Choose the threshold of least cost on the calibration records; needs --prevalence, --escape, --overkill.",
    ),
    prevalence: float | None = Option(None, metavar="SHARE", help="Share of defective parts on the line."),
    escape: float | None = Option(None, metavar="COST", help="Cost of one missed defect."),
    overkill: float | None = Option(None, metavar="COST", help="Cost of one good part that is rejected."),
    currency: str = Option("", metavar="NAME", help="Currency of the costs, such as EUR."),
    promote: bool = Option(False, "--promote", help="Make the new release the champion."),
    by: str | None = BY,
    reason: str | None = REASON,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Give a release another threshold, without training.

    The result is a new release, which names the old one as its parent.
    """
    if not 0 < target < 1:
        raise BadSetting(f"--target: expected a share between 0 and 1 such as 0.01, found {target:g}")
    author = Authorship.of(by, reason)
    cost = CostConfig(prevalence, escape, overkill, currency)
    from tasks.evaluation.costs import CHEAPEST, ThresholdRequest
    from tasks.recalibrate import recalibrate as calibrate

    request = ThresholdRequest(CHEAPEST if cheapest else rule, target, cost)
    result = calibrate(artifacts, version, request, promote, author)
    print_result(result, as_json, _print_result)
    if promote:
        send_champion(artifacts)


def _print_result(result: RecalibrateResult) -> None:
    print(f"{result.status}: {result.release}  ({result.path})")
    print(f"  {result.parent} with the threshold {result.threshold['value']:.4g}")
    rows = []
    for when, price in result.facts["prices"].items():
        rates = (f"{name.replace('_', ' ')} {price[name]['value']:.3f}" for name in ("false_alarms", "escapes"))
        cost = "cost of 10,000 parts {:,.0f} [{:,.0f}, {:,.0f}]".format(*price["cost"]) if price["cost"] else ""
        rows.append((when, f"{price['threshold']:.4g}", *rates, cost))
    print_table(rows)
    if warning := result.facts.get("warning"):
        print(f"  warning: {warning}")
    hint = "" if result.champion == result.release else f"; kensa promote {result.release} makes it the champion"
    print(f"  champion {result.champion}{hint}")
