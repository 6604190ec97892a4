"""Makes another release the champion: one that is named, or the one before."""

from __future__ import annotations

from prefect import State, flow

from flows.service.lines import artifacts_of
from flows.service.run_locks import guarded_run
from flows.ui.journal_texts import author_of_run, publish_journal
from flows.ui.run_names import line_run_name
from flows.ui.states import champion_state
from tasks import steps
from tasks.registry import champion
from tasks.registry.releases import Release


@flow(name="promote", flow_run_name=line_run_name, persist_result=False)
def promote(version: str, line: str | None = None, by: str | None = None, reason: str | None = None) -> State[Release]:
    """Verify a release, and make it the champion of its line.

    Args:
        version: The release that is to be champion, such as v3.
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        by: Who wants it, for the journal; without it, the system's user.
        reason: Why, for the journal.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        artifacts = artifacts_of(line)
        before = champion.champion_state(artifacts).champion
        release = champion.promote(artifacts, version, author_of_run(by, reason))
        publish_journal(artifacts, line)
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
        return champion_state("Rolled back", release, before, line)
