"""Makes another release the champion: one that is named, the one before, or a candidate that a person approves."""

from __future__ import annotations

from typing import Literal

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.service.forms import ensure_approvals
from flows.service.lines import artifacts_of, language_of
from flows.service.run_locks import guarded_run
from flows.trackers.finished_run import send_champion
from flows.ui.history_texts import publish_history
from flows.ui.journal_texts import author_of_run, publish_journal
from flows.ui.run_names import line_run_name
from flows.ui.states import champion_state, decision_state
from tasks import steps
from tasks.registry import candidates, champion
from tasks.registry.candidates import require_no_candidate
from tasks.registry.releases import VERSION_NAME, Release, get_release


@flow(name="promote", flow_run_name=line_run_name, persist_result=False)
def promote(version: str, line: str | None = None, by: str | None = None, reason: str | None = None) -> State[Release]:
    """Verify a release, and make it the champion of its line.

    Args:
        version: The release that is to be champion, such as v3; or the name of a draft that the gate rejected.
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        by: Who wants it, for the journal; without it, the system's user.
        reason: Why, for the journal; needed for a rejected draft.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        artifacts, author = artifacts_of(line), author_of_run(by, reason)
        before = champion.champion_state(artifacts).champion
        if VERSION_NAME.fullmatch(version):
            require_no_candidate(artifacts, get_release(artifacts, version), author)
            release = champion.promote(artifacts, version, author)
        else:
            release = steps.promote_draft(artifacts, version, author)
        publish_journal(artifacts, line)
        publish_history(artifacts, line, language_of(line))
        send_champion(artifacts, line, get_run_logger().warning)
        return champion_state("Promoted", release, before, line)


@flow(name="rollback", flow_run_name=line_run_name, persist_result=False)
def rollback(line: str | None = None, by: str | None = None, reason: str | None = None) -> State[Release]:
    """Make the previous champion of a line the champion again.

    Args:
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        by: Who wants it, for the journal; without it, the system's user.
        reason: Why, for the journal.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        artifacts = artifacts_of(line)
        before = champion.champion_state(artifacts).champion
        release = champion.rollback(artifacts, author_of_run(by, reason))
        publish_journal(artifacts, line)
        publish_history(artifacts, line, language_of(line))
        send_champion(artifacts, line, get_run_logger().warning)
        return champion_state("Rolled back", release, before, line)


@flow(name="approve", flow_run_name=line_run_name, persist_result=False)
def approve(
    candidate: str,
    decision: Literal["approve", "refuse"] = "approve",
    by: str = "",
    reason: str = "",
    line: str | None = None,
) -> State[Release]:
    """Make a candidate the champion of its line, or refuse it: the champion then stays.

    Args:
        candidate: The candidate, such as v3, or with its line, such as boards v3.
        decision: Approve it, or refuse it.
        by: Who decides, for the journal; without it, the system's user.
        reason: Why, for the journal.
        line: The product line of kensa.toml, where the candidate does not name it.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        name, _, version = candidate.rpartition(" ")
        line = name.strip() or line
        artifacts, author = artifacts_of(line), author_of_run(by, reason)
        before = champion.champion_state(artifacts).champion
        decide = candidates.approve if decision == "approve" else candidates.refuse
        release = decide(artifacts, version, author)
        publish_journal(artifacts, line)
        publish_history(artifacts, line, language_of(line))
        if decision == "approve":
            send_champion(artifacts, line, get_run_logger().warning)
        ensure_approvals()
        return decision_state(decision, release, before, line, author)
