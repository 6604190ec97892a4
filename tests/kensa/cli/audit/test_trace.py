"""`kensa trace`: every verdict on a part, as a table and as JSON."""

from __future__ import annotations

import datetime
import json

import pytest
from support import inspected_parts as parts
from support.decided import decision

from tasks.registry.champion import promote
from tasks.review.decisions import decide
from tasks.scoring.traces import Evidence, TracedVerdict

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
VERDICT = {"row": 17, "mode": "dent", "distance": 0.4, "score": 0.31, "verdict": "defect", "margin": -0.06}
VERDICT |= {"part": "SN-7", "record": "ab" * 16, "release": "v3", "digest": "0123456789abcdef", "time": TIME}


@pytest.fixture
def told(monkeypatch):
    evidence = Evidence(0.25, "target_fpr", "calibration")
    entries = [TracedVerdict(VERDICT, "acme/new", "a" * 40, evidence), TracedVerdict(VERDICT, "b", "", Evidence())]
    monkeypatch.setattr("tasks.scoring.traces.trace", lambda folder, part: entries if part == "SN-7" else [])


def test_the_table(told, run):
    lines = run("trace", "SN-7").out.splitlines()
    assert lines[0] == "SN-7: 2 verdicts"
    assert "2026-01-02 03:04 UTC" in lines[2]
    assert all(word in lines[2] for word in ("defect", "v3 (0123456789abcdef)", "0.31", "0.25 (target_fpr)", "-0.06"))
    assert "unknown" in lines[3]
    assert lines[4] == "v3 had it among its calibration records"


def test_json(told, run):
    answer = json.loads(run("trace", "SN-7", "--json").out)
    assert answer["part"] == "SN-7"
    first = answer["verdicts"][0]
    assert (first["time"], first["source"], first["evidence"]["seen_in"]) == (
        "2026-01-02T03:04:05+00:00",
        "acme/new",
        "calibration",
    )


def test_a_part_without_a_verdict(told, run):
    ended = run("trace", "SN-8")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("kensa: SN-8: expected a part with a verdict in artifacts, found none")


@pytest.mark.slow
def test_what_people_decided_about_its_label(place):
    artifacts = place.folder / "artifacts"
    parts.release(artifacts, "v1")
    promote(artifacts, "v1")
    decide(artifacts, decision(7), known=0)
    done = place.kensa("trace", "SN-7")
    assert done.code == 0, done.err
    first, second = done.out.splitlines()
    assert first == "SN-7: 0 verdicts"
    assert second.endswith(" UTC  M. Sato decided its label: scratch → dent")
    (told,) = place.kensa("trace", "SN-7", "--json").told["decisions"]
    assert (told["by"], told["change"]) == ("M. Sato", "scratch → dent")
    assert place.kensa("trace", "SN-8").code == 2
