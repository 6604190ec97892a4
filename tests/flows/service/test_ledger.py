"""The ledger of dataset versions, under everything that may happen to the processes that use it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from flows.service.ledger import REANNOUNCE_SECONDS, RETRY_SECONDS, Ledger
from tasks.core.errors import DamagedLedger

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
RACE = """
import sys, time
from tasks.core.errors import DamagedLedger
from flows.service.ledger import Ledger
folder, run, start = sys.argv[1], sys.argv[2], float(sys.argv[3])
ledger = Ledger(folder)
time.sleep(max(0, start - time.time()))
for number in range(40):
    revision = f"{number:040d}"
    new = ledger.note(f"line-{number}", revision)
    print(number, new, ledger.claim(f"line-{number}", revision, run))
"""
WRITER = """
import sys
from tasks.core.errors import DamagedLedger
from flows.service.ledger import Ledger
ledger = Ledger(sys.argv[1])
number = int(sys.argv[2])
while True:
    number += 1
    ledger.note(f"line-{number}", f"{number:040d}")
    print(number, flush=True)
"""


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def later(ledger, seconds):
    """Let `seconds` pass: every line was changed that much earlier."""
    with sqlite3.connect(ledger.path) as table:
        table.execute("UPDATE versions SET changed = changed - ?", (seconds,))
    table.close()


def due(ledger):
    """What is due, each told of at once."""
    found = ledger.due()
    for version in found:
        ledger.mark_announced(version.line, version.revision)
    return [version.revision for version in found]


def states(ledger):
    return {version.revision: version.state for version in ledger.versions()}


def test_a_version_is_told_once_trained_once_and_then_known(ledger):
    assert ledger.note("boards", A)
    assert not ledger.note("boards", A)
    assert due(ledger) == [A]
    assert due(ledger) == []
    assert ledger.claim("boards", A, "run 1") == "train"
    assert ledger.claim("boards", A, "run 2") == "running"
    ledger.finish("boards", A, "run 1", "done")
    assert ledger.claim("boards", A, "run 3") == "done"
    later(ledger, 10 * REANNOUNCE_SECONDS)
    assert not ledger.head("boards", A)
    assert due(ledger) == []
    assert states(ledger) == {A: "done"}


def test_a_run_taken_up_after_a_crash_claims_again_what_it_has_claimed(ledger):
    ledger.note("boards", A)
    assert [ledger.claim("boards", A, "run 1") for _ in range(3)] == ["train"] * 3
    assert ledger.versions()[0].tries == 1


def test_only_the_run_that_claimed_it_can_finish_it(ledger):
    ledger.note("boards", A)
    ledger.claim("boards", A, "run 1")
    ledger.finish("boards", A, "run 2", "failed")
    assert states(ledger) == {A: "running"}


def test_a_failed_version_is_tried_again_within_the_bound(tmp_path):
    ledger = Ledger(tmp_path, tries=3)
    ledger.note("boards", A)
    for number in range(3):
        assert due(ledger) == [A]
        assert ledger.claim("boards", A, f"run {number}") == "train"
        ledger.finish("boards", A, f"run {number}", "failed")
        assert due(ledger) == [], "not at once"
        later(ledger, RETRY_SECONDS + 1)
    assert due(ledger) == []
    assert ledger.claim("boards", A, "run 4") == "given up"
    ledger.note("boards", B)
    assert due(ledger) == [B], "a version that was given up stands in nobody's way"


def test_what_a_person_cancelled_is_not_tried_again(ledger):
    ledger.note("boards", A)
    ledger.claim("boards", A, "run 1")
    ledger.finish("boards", A, "run 1", "cancelled")
    later(ledger, RETRY_SECONDS + 1)
    assert due(ledger) == []
    assert ledger.claim("boards", A, "run 2") == "cancelled"


def test_of_several_that_piled_up_the_newest_is_trained_and_the_skipped_are_recorded(ledger):
    ledger.note("boards", A)
    ledger.claim("boards", A, "run 1")
    for revision in (B, C):
        ledger.note("boards", revision)
    ledger.note("housings", A)
    assert [(version.line, version.revision) for version in ledger.due()] == [("boards", C), ("housings", A)]
    ledger.finish("boards", A, "run 1", "done")
    assert ledger.claim("boards", B, "run 2") == "skipped"
    assert ledger.claim("boards", C, "run 3") == "train"
    assert [(version.revision, version.state) for version in ledger.versions("boards")] == [
        (A, "done"),
        (B, "skipped"),
        (C, "running"),
    ]


def test_a_version_that_was_told_of_is_skipped_when_a_newer_one_came_before_its_run(ledger):
    ledger.note("boards", A)
    assert due(ledger) == [A]
    ledger.note("boards", B)
    assert ledger.claim("boards", A, "run 1") == "skipped"
    assert ledger.claim("boards", B, "run 2") == "train"


def test_an_event_that_started_no_run_is_told_again_but_not_while_another_trains(ledger):
    ledger.note("boards", A)
    ledger.note("housings", B)
    assert due(ledger) == [A, B]
    ledger.claim("boards", A, "run 1")
    later(ledger, REANNOUNCE_SECONDS + 1)
    assert due(ledger) == [], "it waits in the queue behind run 1"
    ledger.finish("boards", A, "run 1", "done")
    assert due(ledger) == [B]


def test_news_that_is_late_does_not_go_before_the_head(ledger):
    """B is the head; the Hub delivers the older A afterwards, and a person replays it."""
    ledger.note("boards", B)
    ledger.note("boards", A)
    ledger.head("boards", B)
    assert due(ledger) == [B]
    assert states(ledger) == {A: "skipped", B: "pending"}
    assert ledger.claim("boards", A, "run 1") == "skipped"


def test_a_skipped_revision_to_which_a_person_went_back_is_trained(ledger):
    ledger.note("boards", A)
    ledger.note("boards", B)
    assert due(ledger) == [B]
    ledger.head("boards", A)
    assert due(ledger) == [A]
    assert states(ledger) == {A: "pending", B: "skipped"}


def test_looking_at_the_same_head_again_and_again_changes_nothing(ledger):
    ledger.head("boards", A)
    before = ledger.versions()
    due(ledger)
    for _ in range(3):
        assert not ledger.head("boards", A)
    assert [version.revision for version in ledger.versions()] == [A]
    assert due(ledger) == []
    assert before[0].state == ledger.versions()[0].state == "pending"


def test_an_unknown_version_cannot_be_claimed(ledger):
    with pytest.raises(LookupError, match=r"boards@aaa.* was never noted"):
        ledger.claim("boards", A, "run 1")


@pytest.mark.slow
def test_of_many_processes_exactly_one_notes_and_one_trains(tmp_path):
    """Eight processes note and claim the same forty versions at the same moment, in a folder that is new."""
    start = time.time() + 2
    words = [sys.executable, "-c", RACE, str(tmp_path / "data")]
    racers = [
        subprocess.Popen([*words, f"run {number}", str(start)], stdout=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    lines = [line.split() for racer in racers for line in racer.communicate(timeout=60)[0].splitlines()]
    assert [racer.returncode for racer in racers] == [0] * 8
    for number in map(str, range(40)):
        told = [line[1:] for line in lines if line[0] == number]
        assert sorted(new for new, _ in told) == ["False"] * 7 + ["True"]
        assert sorted(answer for _, answer in told) == ["running"] * 7 + ["train"]


def test_a_new_file_that_another_process_is_about_to_write_is_waited_for(tmp_path):
    """SQLite does not wait itself where the file is no write-ahead log yet."""
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    assert Ledger(tmp_path).note("boards", A)
    release.join()
    other.close()


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_promised(tmp_path):
    """What was printed was written; the file is sound after each of five kills."""
    promised = 0
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(promised)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(20):
            promised = int(writer.stdout.readline())
        writer.kill()
        promised = max([promised, *map(int, writer.communicate()[0].split())])
        with sqlite3.connect(tmp_path / "ledger.sqlite") as table:
            assert table.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        table.close()
        known = {version.revision for version in Ledger(tmp_path).versions()}
        assert {f"{number:040d}" for number in range(1, promised + 1)} <= known
        promised = len(known)


def test_a_killed_writer_blocks_nobody(tmp_path):
    """It died inside its transaction: what it had not committed is gone, and the next one writes at once."""
    ledger = Ledger(tmp_path)
    code = f"""
import json, os, signal
from tasks.core.errors import DamagedLedger
from flows.service.ledger import Ledger
ledger = Ledger({json.dumps(str(tmp_path))})
with ledger._writing() as table:
    table.execute("INSERT INTO versions (line, revision, noted, changed) VALUES ('boards', 'half', 0, 0)")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    began = time.monotonic()
    assert ledger.note("boards", A)
    assert time.monotonic() - began < 1
    assert states(ledger) == {A: "pending"}


def test_a_damaged_ledger_is_told_in_one_line(tmp_path):
    """SQLite itself takes several."""
    ledger = Ledger(tmp_path)
    ledger.head("boards", "a" * 40)
    for beside in tmp_path.glob("ledger.sqlite-*"):
        beside.unlink()
    whole = ledger.path.read_bytes()
    for damaged in (b"no database at all" * 100, whole[:-2000], whole.replace(b"pending", b"qending")):
        ledger.path.write_bytes(damaged)
        with pytest.raises(DamagedLedger) as told:
            Ledger(tmp_path)
        assert "restore it from a backup" in str(told.value)
        assert "\n" not in str(told.value)


def test_what_was_written_survives_a_power_cut(tmp_path, monkeypatch):
    """SQLite waits for the disk at each commit only where `synchronous` is FULL, which is 2."""
    levels = []

    class Watched(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql == "COMMIT":
                levels.append(super().execute("PRAGMA synchronous").fetchone()[0])
            return super().execute(sql, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, factory=Watched, **options))
    Ledger(tmp_path).note("boards", A)
    assert levels == [2, 2]
