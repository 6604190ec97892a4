"""What `kensa up` says of each line's next run, from answers of the server that are made up."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flows.service import next_runs
from flows.service.lines import FactoryConfig, ProductLine, Schedule
from flows.service.next_runs import NextRuns, next_times
from tasks.config.run import RunConfig

MONDAY = datetime(2026, 11, 30, 4, tzinfo=UTC)


class Scheduled:
    """A server with these planned runs, line by line, an hour apart."""

    def __init__(self, *lines):
        self.runs = [
            SimpleNamespace(parameters={"line": line}, next_scheduled_start_time=MONDAY + timedelta(hours=hours))
            for hours, line in enumerate(lines)
        ]

    def read_flow_runs(self, *, limit, offset, **_):
        return self.runs[offset : offset + limit]


@pytest.fixture
def ask(monkeypatch):
    """News of two lines, boards and caps, at second `now`, of a server with these runs."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(next_runs.time, "monotonic", lambda: clock.now)
    lines = {
        "boards": ProductLine("boards", RunConfig(), Schedule("0 5 * * *", "Asia/Tokyo")),
        "caps": ProductLine("caps", RunConfig()),
    }
    watch = NextRuns(None, FactoryConfig(lines, tries=3, notify=None))

    def news(now, *planned):
        clock.now = now
        monkeypatch.setattr(next_runs, "connect", lambda server: nullcontext(Scheduled(*planned)))
        return watch.news()

    return news


def test_each_line_is_told_once_in_the_zone_of_its_schedule(ask):
    assert ask(0) == []
    assert ask(2, "boards") == [], "it asks now and then only"
    assert ask(6, "boards", "boards") == ["line boards: next run 2026-11-30 13:00 Asia/Tokyo"]
    assert ask(12, "boards", "caps") == ["line caps: next run 2026-11-30 06:00 Europe/Berlin"]
    assert ask(500, "boards", "caps") == []


def test_a_line_that_the_scheduler_forgets_is_named(ask):
    (told, missing) = ask(200, "caps")
    assert told.startswith("line caps: next run")
    assert missing.startswith("line boards: expected a next run, found none")


def test_a_run_of_all_lines_is_each_line_s_and_the_earliest_counts():
    times = next_times(Scheduled("caps", "all", "boards"), {"boards", "caps"})
    assert times == {"caps": MONDAY, "boards": MONDAY + timedelta(hours=1)}


def test_a_frequent_line_does_not_hide_a_rare_one():
    times = next_times(Scheduled(*["boards"] * 450, "caps"), {"boards", "caps"})
    assert times["caps"] == MONDAY + timedelta(hours=450)
