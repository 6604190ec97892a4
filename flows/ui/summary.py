"""Five answers in a run's log, which Prefect's UI shows first: what ran, on what, what changed, and what came of it."""

from __future__ import annotations

from logging import Logger, LoggerAdapter
from pathlib import Path

from tasks.core.results import RetrainResult
from tasks.evaluation.evaluation_report import EvaluationReport
from tasks.registry.release_files import read_report
from tasks.report.notice import DETECTION_UNKNOWN


def log_summary(result: RetrainResult, line: str | None, logger: Logger | LoggerAdapter) -> None:
    """Write the answers, one a line."""
    report = EvaluationReport.from_json(read_report(Path(result.path)))
    for answer in answers(result, report, line):
        logger.info(answer)


def answers(result: RetrainResult, report: EvaluationReport, line: str | None = None) -> list[str]:
    """The answers about a result and its report; the reasons stand last, for they are the longest."""
    of = f"line {line}, " if line else ""
    source = report.train
    records = "" if source.records is None else f", {source.records} records of {source.modes} modes"
    promoted = result.status == "released" or (result.status == "unchanged" and result.release == result.champion)
    return [
        f"What ran: a retraining, {of}{_kind(report)}: {result.status}",
        f"On what data: {source.source} at {source.revision[:12]}{records}",
        f"What changed in the data: {_data_changes(report)}",
        f"What changed in the settings: {_setting_changes(report)}",
        f"Was it promoted: {_promotion(result, promoted)}; champion: {result.champion or 'none yet'}",
        *(f"Why not: {reason}" for reason in result.reasons),
    ]


def _kind(report: EvaluationReport) -> str:
    return f"good parts alone, {DETECTION_UNKNOWN}" if report.zero else f"preset {report.preset}"


def _promotion(result: RetrainResult, promoted: bool) -> str:
    if result.status == "candidate":
        return f"not yet, {result.release} waits for approval"
    return "yes" if promoted else "no"


def _data_changes(report: EvaluationReport) -> str:
    changes = report.changes
    if changes is None:
        return "there was no champion to compare with"
    counts = {name: changes[name] for name in ("added", "removed", "relabelled")}
    text = ", ".join(f"{count} records {name}" for name, count in counts.items() if count) or "nothing"
    return f"{text}, since {changes['against']}"


def _setting_changes(report: EvaluationReport) -> str:
    changes = report.setting_changes
    if changes is None:
        return "there was no champion to compare with"
    return ", ".join(f"{one.setting} {one.champion} → {one.model}" for one in changes) or "nothing"
