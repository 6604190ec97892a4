"""The answers of a study: those of inspectors from their sheets, and those of the release on repeated measurements."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tasks.core.errors import UnfitStudy
from tasks.core.text import one_line
from tasks.data.readers import TableSource
from tasks.registry.loading import LoadedRelease
from tasks.scoring.judging import score_batches
from tasks.scoring.table import release_digest
from tasks.study.plan import StudyPlan, read_rows

WORDS = {"good": False, "ok": False, "pass": False, "defect": True, "ng": True, "fail": True, "unknown": True}


def inspectors_answers(plan: StudyPlan, sheets: Iterable[Path]) -> dict[str, np.ndarray]:
    """The answers (parts, trials) of each inspector, True for a defect; none of one who has not begun.

    Raises UnfitStudy for an answer that is missing or no such word, twice there, or of a part that is not in the plan.
    """
    by_inspector: dict[str, dict[tuple[int, int], bool]] = {}
    places = {part.part: i for i, part in enumerate(plan.parts)}
    for sheet in sheets:
        for number, row in enumerate(read_rows(sheet), 2):
            text = (row["answer"] or "").strip().lower()
            if text:
                key = _place(places, row, f"{sheet}, line {number}")
                answers = by_inspector.setdefault((row["inspector"] or "").strip(), {})
                if text not in WORDS:
                    raise _wrong(f"{sheet}, line {number}", "good or defect", text)
                if key in answers:
                    raise _wrong(f"{sheet}, line {number}", "one answer for a part in a trial", "another")
                answers[key] = WORDS[text]
    return {name: _complete(name, answers, len(places)) for name, answers in by_inspector.items()}


def _place(places: dict[str, int], row: dict[str, str], where: str) -> tuple[int, int]:
    """Which part and trial a row is of."""
    if row["part"] not in places:
        raise _wrong(where, "a part of the plan", row["part"])
    trial = (row["trial"] or "").strip()
    if not trial.isdecimal() or trial == "0":
        raise _wrong(where, "a trial such as 1", trial)
    return places[row["part"]], int(trial)


def _wrong(where: str, expected: str, found: str) -> UnfitStudy:
    return UnfitStudy(f"{where}: expected {expected}, found {one_line(found)[:60]!r}")


def _complete(name: str, answers: dict[tuple[int, int], bool], count: int) -> np.ndarray:
    trials = sorted({trial for _, trial in answers})
    rows = [[answers.get((part, trial)) for trial in trials] for part in range(count)]
    if lacking := sum(value is None for row in rows for value in row):
        raise UnfitStudy(
            f"{one_line(name)}: expected an answer for each part in each trial that was begun, found {lacking} "
            "without; fill them in"
        )
    return np.array(rows, bool)


def release_answers(plan: StudyPlan, release: LoadedRelease, repeats: Iterable[TableSource]) -> np.ndarray:
    """The release's answers (parts, trials): those of the plan, and those on each repeated measurement.

    Raises UnfitStudy for another release than that of the plan, and for a repeat that lacks a part.
    """
    if release_digest(release) != plan.digest:
        raise UnfitStudy(f"{release.version}: expected the release of the plan, found another of that name; plan anew")
    columns = [[part.called for part in plan.parts], *(_called(plan, release, repeat) for repeat in repeats)]
    return np.array(columns, bool).T


def _called(plan: StudyPlan, release: LoadedRelease, repeat: TableSource) -> list[bool]:
    called: dict[str, bool] = {}
    names = {part.part for part in plan.parts}
    for batch in score_batches(repeat, release):
        for name, verdict in zip(batch.records.id or [], batch.predictions.verdict.tolist(), strict=False):
            if name in names:
                called.setdefault(name, verdict != "good")
    if lacking := names - set(called):
        raise UnfitStudy(
            f"{repeat.name}: expected another measurement of every part of the plan, found none of {len(lacking)}, "
            f"such as {one_line(min(lacking))}; --id names the column of parts"
        )
    return [called[part.part] for part in plan.parts]
