"""Gives a release another threshold, without training."""

from __future__ import annotations

from typing import Literal

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.service.lines import artifacts_of, language_of
from flows.service.run_locks import guarded_run
from flows.trackers.finished_run import send_champion
from flows.ui.history_texts import publish_history
from flows.ui.journal_texts import author_of_run, publish_journal
from flows.ui.run_names import line_run_name
from flows.ui.states import recalibration_state
from tasks import steps
from tasks.config.run import CostConfig
from tasks.core.errors import BadSetting
from tasks.core.results import RecalibrateResult
from tasks.evaluation.costs import ThresholdRequest

# Those of tasks/config/run.py, and the one that needs all costs.
Rule = Literal["target_fpr", "target_fpr_pac", "youden", "max_f1", "min_precision", "min_recall", "cheapest"]


@flow(name="recalibrate", flow_run_name=line_run_name, persist_result=False)
def recalibrate(
    line: str | None = None,
    version: str | None = None,
    rule: Rule = "target_fpr",
    target: float = 0.05,
    promote: bool = False,
    prevalence: float | None = None,
    escape: float | None = None,
    overkill: float | None = None,
    currency: str = "",
    by: str | None = None,
    reason: str | None = None,
) -> State[RecalibrateResult]:
    """Make a release with another threshold, which names the old one as its parent.

    Args:
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        version: A release such as v3; without it, the champion.
        rule: Rule that sets the threshold between good and defect; cheapest needs the three costs below.
        target: Target of the rule: false-positive rate, minimum precision or minimum recall, between 0 and 1.
        promote: Make the new release the champion.
        prevalence: Share of defective parts on the line.
        escape: Cost of one missed defect.
        overkill: Cost of one good part that is rejected.
        currency: Currency of the costs, such as EUR.
        by: Who wants it, for the journal; without it, the system's user.
        reason: Why, for the journal.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        if not 0 < target < 1:
            raise BadSetting(f"target: expected a share between 0 and 1 such as 0.01, found {target:g}")
        request = ThresholdRequest(rule, target, CostConfig(prevalence, escape, overkill, currency))
        artifacts, author = artifacts_of(line), author_of_run(by, reason)
        result = steps.recalibrate(artifacts, version, request, promote, author)
        publish_journal(artifacts, line)
        publish_history(artifacts, line, language_of(line))
        if promote:
            send_champion(artifacts, line, get_run_logger().warning)
        return recalibration_state(result)
