"""`kensa enrol`: what is to be learnt, and what it would do."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from support.enrolling import parts_of_new_mode
from support.inspected_parts import map_column

from tasks.enrolment.request import EnrolResult

RATE = {"value": 0.8, "low": 0.28, "high": 0.99, "count": 4, "of": 5}
FACTS = {"parts": 5, "recall": RATE, "named": RATE, "stopped": RATE, "changed": RATE}
LOT = {"parts": 10, "alarms": {"before": RATE, "after": RATE}, "escapes": {}, "thresholds": {"before": 0.5, "after": 1}}
VALUES = {"release": "v4", "parent": "v3", "path": "artifacts/releases/v4", "champion": "v3"}


@pytest.fixture
def requests(monkeypatch, tmp_path):
    """What reaches the step, which is left out."""
    seen = []
    results = {"mode": EnrolResult("released", kind="mode", name="bridge", facts=FACTS, **VALUES),
               "lot": EnrolResult("candidate", kind="lot", name="17", facts=LOT, **VALUES)}  # fmt: skip
    monkeypatch.setattr("tasks.enrol.enrol", lambda *values: seen.append(values) or results[values[3].kind])
    monkeypatch.setattr("tasks.registry.champion.select_release", lambda *_: None)
    pq.write_table(map_column(parts_of_new_mode(5)), tmp_path / "parts.parquet")
    return seen, tmp_path / "parts.parquet"


def test_a_mode_and_what_it_does(run, requests):
    seen, parts = requests
    words = ["--name", "bridge", "--margin", "0.02", "--promote", "--by", "M. Sato", "--reason", "new since Monday"]
    lines = run("enrol", "mode", parts, *words).out.splitlines()
    [(source, _, _, request, version, promote, author)] = seen
    assert (request.kind, request.name, request.margin, request.recall) == ("mode", "bridge", 0.02, 0.8)
    assert (version, promote, author.by, author.why) == (None, True, "M. Sato", "new since Monday")
    assert source.resolved.kind == "files"
    assert lines[:2] == ["released: v4  (artifacts/releases/v4)", "  v3 with the mode bridge, from 5 parts"]
    assert lines[2] == "  nearest to the mode, left out     0.800  [0.280, 0.990]  4 of 5"
    assert lines[-1] == "  champion v3; kensa promote v4 makes it the champion"


def test_a_lot_that_waits_for_approval(run, requests):
    seen, parts = requests
    lines = run("enrol", "lot", parts, "--release", "v3").out.splitlines()
    assert (seen[0][3].name, seen[0][4]) == (None, "v3")
    assert [line.split("  ")[1] for line in lines[2:4]] == [
        "good parts of the lot stopped, before",
        "good parts of the lot stopped, after",
    ]
    assert lines[-2:] == ["  threshold 0.5 → 1", "  champion v3; kensa approve v4 makes it the champion"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mode"], "--name: expected the name of the new mode, found none"),
        (["lot", "--margin", "0"], "--margin: expected a share between 0 and 1 such as 0.05, found 0"),
        (["board"], "WHAT: expected mode or lot, found 'board'; see kensa enrol --help"),
    ],
    ids=["no name", "margin", "what"],
)
def test_wrong_words_are_one_line(run, requests, words, expected):
    seen, parts = requests
    ended = run("enrol", words[0], parts, *words[1:])
    assert (ended.code, seen, ended.err) == (2, [], f"kensa: {expected}\n")
