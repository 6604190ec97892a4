"""Teaches a release a mode or a lot, without training."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import State, flow
from prefect.logging import get_run_logger

from flows.service.forms import ensure_approvals
from flows.service.lines import artifacts_of, language_of, read_lines
from flows.service.run_locks import guarded_run
from flows.trackers.finished_run import send_champion
from flows.ui.candidate_texts import publish_candidate
from flows.ui.history_texts import publish_history
from flows.ui.journal_texts import author_of_run, publish_journal
from flows.ui.run_names import line_run_name
from flows.ui.states import enrolment_state
from tasks import steps
from tasks.config.run import DATA_FOLDER
from tasks.enrolment.request import EnrolRequest, EnrolResult
from tasks.registry.candidates import find_candidate


@flow(name="enrol", flow_run_name=line_run_name, persist_result=False)
def enrol(
    what: Literal["mode", "lot"],
    source: str,
    name: str | None = None,
    line: str | None = None,
    version: str | None = None,
    promote: bool = False,
    margin: float = 0.05,
    recall: float = 0.8,
    by: str | None = None,
    reason: str | None = None,
) -> State[EnrolResult]:
    """Add a mode or a lot to a release, without training, as a new release that names the old one as its parent.

    Args:
        what: A mode from five labelled parts or more, or a lot from ten good parts.
        source: The parts: org/name[@revision] on the Hub, files, a folder, an address; several with ; between.
        name: The new mode, or the lot's group where the source has several.
        line: The product line of kensa.toml; without it, the releases of artifacts/.
        version: A release such as v3; without it, the champion.
        promote: Make the new release the champion.
        margin: Share of the release's verdicts that may change, between 0 and 1.
        recall: Share of a mode's parts that must be nearest to it when each is left out, between 0 and 1.
        by: Who wants it, for the journal; without it, the system's user.
        reason: Why, for the journal.
    """
    steps.log_known_errors_in_one_line()
    with guarded_run():
        request = EnrolRequest(what, name, margin, recall)
        artifacts, author = artifacts_of(line), author_of_run(by, reason)
        data = read_lines()[line].config.data_path if line else Path(DATA_FOLDER)
        parts = steps.download(steps.resolve(source, None, data))
        result = steps.enrol(parts, artifacts, data, request, version, promote, author)
        if result.status == "candidate" and not promote:
            publish_candidate(find_candidate(artifacts, result.release), line, language_of(line))
            ensure_approvals()
        publish_journal(artifacts, line)
        publish_history(artifacts, line, language_of(line))
        if promote:
            send_champion(artifacts, line, get_run_logger().warning)
        return enrolment_state(result)
