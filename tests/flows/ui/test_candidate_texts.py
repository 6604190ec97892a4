"""What speaks for a candidate: the verdict, both models' errors with the parts that change sides, and costs."""

from __future__ import annotations

from pathlib import Path

from support import inspected_parts as parts

from flows.ui.candidate_texts import evidence
from tasks.evaluation.comparison_report import ComparisonSummary, RateDifference
from tasks.registry.releases import read_release
from tasks.report.translation import translator

COST = {"prevalence": 0.01, "escape": 500, "overkill": 3, "currency": "EUR"}


def candidate(folder: Path, won: int | None = 4, lost: int | None = 1, **config):
    """A release that was compared with v1: 8 → 5 of 100 defects missed, 4 → 4 of 50 good parts stopped."""
    summary = ComparisonSummary(
        version="v1",
        frozen="f1",
        champion_frozen="f1",
        records=150,
        seen=0,
        verdict="better than the champion v1",
        figure="good_auroc",
        escapes=RateDifference(-0.03, (-0.06, 0.01), 100, 5, 8, won, lost),
        false_alarms=RateDifference(0.0, (-0.05, 0.05), 50, 4, 4),
    )
    config = {"data": {"rows": parts.ROWS, "cols": parts.COLS}, **config}
    return read_release(parts.release(folder, "v2", status="candidate", comparison=summary.as_json(), config=config))


def test_verdict_flips_and_costs(tmp_path):
    sentences = list(evidence(candidate(tmp_path, cost=COST)))
    assert sentences[:4] == [
        "better than the champion v1",
        "escapes: 8 → 5 of 100 (4 that the champion gets wrong are right, 1 that it gets right are wrong)",
        "false alarms: 4 → 4 of 50",
        "expected cost of 10,000 parts: 6,376 → 4,876 EUR",
    ]
    assert sentences[4] == f"Report: {tmp_path / 'releases' / 'v2' / 'report.html'}"


def test_without_costs_and_flips_and_in_japanese(tmp_path):
    release = candidate(tmp_path, None, None)
    assert list(evidence(release))[1:3] == ["escapes: 8 → 5 of 100", "false alarms: 4 → 4 of 50"]
    assert list(evidence(release, translator("ja")))[1] == "見逃し: 100 件中 8 → 5 件"


def test_the_first_of_a_line_has_nothing_to_compare(tmp_path):
    release = read_release(parts.release(tmp_path, "v1", status="candidate"))
    assert next(evidence(release)) == "The first of its line: there is no champion to compare it with"


def test_of_good_parts_alone_it_says_what_is_not_known(tmp_path):
    release = read_release(parts.release(tmp_path, "v1", status="candidate", zero={"parts": 204, "target": 0.05}))
    assert list(evidence(release))[1] == "It is made from good parts alone: how many defects it finds is not known"
