"""The state in which a run ends, named for what came of it; its message is the reason in one sentence.

All are of the type Completed: a rejected model is a result and no failure, and the UI must not show it in red.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.ui.markdown import NOT_TRAINED
from tasks.core.authorship import Authorship
from tasks.core.inspection import DriftResult, ScoreResult
from tasks.core.results import ExportResult, RecalibrateResult, ReproduceResult, RetrainResult
from tasks.enrolment.request import EnrolResult
from tasks.registry.releases import Release
from tasks.report.notice import DETECTION_UNKNOWN


def retraining_state(result: RetrainResult) -> State[RetrainResult]:
    """Released, Candidate, Rejected or Unchanged."""
    return Completed(name=result.status.capitalize(), message=_reason(result), data=result)


def not_trained_state(line: str, revision: str, answer: str) -> State[None]:
    """Of a run that trained nothing; `answer` is the ledger's."""
    return Completed(name="Not trained", message=f"{line} at {revision[:12]}: {NOT_TRAINED[answer]}")


def lines_state(states: Mapping[str, State]) -> State[None]:
    """Of a run of all lines: how often each state was the end, and what came of each line."""
    counts = Counter(state.name.lower() for state in states.values())
    name = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    message = "; ".join(f"{line}: {state.name.lower()}, {state.message}" for line, state in states.items())
    return Completed(name=name.capitalize(), message=message)


def score_state(result: ScoreResult) -> State[ScoreResult]:
    """Scored, with the counts of the verdicts."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in result.counts.items())
    return Completed(name="Scored", message=f"{result.source}, judged by {result.release}: {counts}", data=result)


def drift_state(results: list[DriftResult]) -> State[list[DriftResult]]:
    """The status of one line, such as Drifted; of several lines how many have each."""
    counts = Counter(result.status for result in results)
    name = ", ".join(f"{count} {status}" for status, count in counts.items()) or "Nothing to compare"
    message = "; ".join(
        f"{result.status}: {result.records} records of {result.source} against {result.release}" for result in results
    )
    return Completed(
        name=(results[0].status if len(results) == 1 else name).capitalize(), message=message, data=results
    )


def reproduction_state(result: ReproduceResult) -> State[ReproduceResult]:
    """Equal, Equivalent or Differs, with what differs."""
    differences = "; ".join(result.differences) or "the same weights and metrics"
    return Completed(name=result.verdict.capitalize(), message=f"{result.release}: {differences}", data=result)


def champion_state(name: str, release: Release, before: str | None, line: str | None) -> State[Release]:
    """Promoted or Rolled back, with the champion of now and of before."""
    of = f" of {line}" if line else ""
    return Completed(name=name, message=f"{release.version} is champion{of}; before: {before or 'none'}", data=release)


def decision_state(
    decision: str, release: Release, before: str | None, line: str | None, author: Authorship
) -> State[Release]:
    """Approved or Refused, with who decided, why, and the champion of now."""
    of = f" of {line}" if line else ""
    stays = f"{release.version} is champion{of}; before: {before or 'none'}"
    if decision != "approve":
        stays = f"{release.version} is refused; champion{of}: {before or 'none yet'}"
    name = "Approved" if decision == "approve" else "Refused"
    return Completed(name=name, message=f"{stays}; {author.by}: {author.why}", data=release)


def recalibration_state(result: RecalibrateResult) -> State[RecalibrateResult]:
    """Recalibrated or Unchanged, with the new threshold."""
    name = "Unchanged" if result.status == "unchanged" else "Recalibrated"
    threshold = f"{result.release} is {result.parent} with the threshold {result.threshold['value']:.4g}"
    return Completed(name=name, message=f"{threshold}; champion: {result.champion}", data=result)


def enrolment_state(result: EnrolResult) -> State[EnrolResult]:
    """Enrolled, Candidate or Unchanged, with what was learnt."""
    name = {"released": "Enrolled"}.get(result.status, result.status.capitalize())
    learnt = (
        f"{result.release} is {result.parent} with the {result.kind} {result.name} of {result.facts['parts']} parts"
    )
    return Completed(name=name, message=f"{learnt}; champion: {result.champion or 'none yet'}", data=result)


def export_state(result: ExportResult) -> State[ExportResult]:
    """Exported or Unchanged, with the folder."""
    message = f"{result.release} as {result.format} in {result.path}"
    return Completed(name=result.status.capitalize(), message=message, data=result)


def watch_state(announced: list[str]) -> State[list[str]]:
    """How many new versions there are, and which."""
    name = f"{len(announced)} new" if announced else "Nothing new"
    return Completed(name=name, message=", ".join(announced) or "no line has a new version", data=announced)


def _reason(result: RetrainResult) -> str:
    reasons = "; ".join(result.reasons)
    first = "the first of its line" + ("" if "auroc" in result.metrics else f"; {DETECTION_UNKNOWN}")
    if result.status == "released":
        verdict = result.comparison["verdict"] if result.comparison else first
        return f"{result.release} is champion: {verdict}"
    if result.status == "candidate":
        verdict = result.comparison["verdict"] if result.comparison else first
        return f"{result.release} waits for approval: {verdict}; champion: {result.champion or 'none yet'}"
    if result.status == "rejected":
        return f"{reasons}; champion: {result.champion or 'none yet'}"
    before = f"gave release {result.release}" if result.release else f"rejected: {reasons}"
    return f"the same data and settings were evaluated before, and {before}; champion: {result.champion or 'none yet'}"
