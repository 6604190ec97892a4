"""A model's evaluation with the comparison and the decision that follow from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.core.json_form import Json
from tasks.data.bank_variants import sampled_share
from tasks.evaluation.comparison_report import Comparison
from tasks.evaluation.evaluation_report import EvaluationReport, HoldoutResult
from tasks.evaluation.holdout import EvaluationInputs
from tasks.evaluation.scored_records import ScoredRecords
from tasks.promotion.comparison import compare_with_champion
from tasks.promotion.gate import comparison_summary, reasons_to_reject
from tasks.promotion.setting_changes import setting_changes
from tasks.registry.manifest import SourceSummary


def compare(inputs: EvaluationInputs, test: ScoredRecords, threshold: float | None) -> Comparison | None:
    """The comparison with the champion; None where there is none.

    threshold: the model's between good and defect, None where it has none.
    """
    if inputs.champion is None:
        return None
    return compare_with_champion(inputs.champion, test, inputs.config, inputs.frozen, threshold, inputs.number)


def decided_report(inputs: EvaluationInputs, result: HoldoutResult, model: Json, **more: Any) -> EvaluationReport:
    """The result with the gate's decision, and with all that a reader must know of the run.

    model: what the report says about the network; more: fields of EvaluationReport that not every model has.
    """
    config, facts = inputs.config, inputs.facts
    return EvaluationReport(
        **vars(result),
        train=SourceSummary.from_json(facts["train"]),
        test=SourceSummary.from_json(facts["test"]) if facts["test"] else None,
        changes=facts.get("changes"),
        verdict=comparison_summary(result.comparison, config.gate),
        reasons=reasons_to_reject(result, config.gate),
        findings=inputs.findings,
        data=inputs.triplets.facts,
        model=model,
        history=json.loads((Path(inputs.model.path) / "history.json").read_text(encoding="utf-8")),
        settings=config.fingerprint_fields(),
        preset=config.preset,
        judged=sampled_share(inputs.bank, inputs.full_bank),
        setting_changes=inputs.champion and setting_changes(config, inputs.champion.manifest.config),
        **more,
    )
