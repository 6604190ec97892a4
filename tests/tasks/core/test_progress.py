"""Progress goes to stderr: a line for each epoch, a bar on a terminal, a count every few seconds."""

from __future__ import annotations

import io
import time

import pytest

from tasks.core import progress
from tasks.core.progress import Heartbeat, Progress, RecordCounter, counts_sent_to, epoch_line, fold_line, step_line
from tasks.core.results import Epoch

SHOW_CURSOR = "\x1b[?25h"
LINE = Epoch(2, 0.25, 0.5, 0.1, 1.0, 0.03, 1.23)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_an_epoch_is_a_line_without_a_bar_where_nobody_watches(capsys):
    training = Progress(3)
    training.batch(2, 5, 10, 0.25)
    training.epoch(LINE)
    out, err = capsys.readouterr()
    assert (out, err) == ("", epoch_line(LINE, 3) + "\n")
    assert "epoch   2/3  loss 0.2500  validation 0.5000  active  10%" in err


def test_a_terminal_sees_a_bar_until_the_epoch_ends(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    training = Progress(3)
    training.batch(2, 5, 10, 0.25)
    assert "epoch   2/3" in terminal.getvalue()
    assert "loss 0.2500" in terminal.getvalue()
    training.epoch(LINE)
    assert terminal.getvalue().endswith(epoch_line(LINE, 3) + "\n")
    assert terminal.getvalue().rpartition(SHOW_CURSOR)[2].count("epoch") == 1, "the bar is gone"


def test_records_are_counted_every_few_seconds(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    counter = RecordCounter("read")
    for seconds, records in ((1.0, 10), (6.0, 600), (7.0, 700), (12.0, 1200)):
        clock[0] = seconds
        counter.update(records)
    assert capsys.readouterr().err == "  600 records read, 100 a second\n  1,200 records read, 100 a second\n"


def test_counts_are_sent_to_whoever_listens(monkeypatch):
    monkeypatch.setattr(progress, "COUNTER_SECONDS", 0.0)
    lines = []
    with counts_sent_to(lines.append):
        RecordCounter("scored").update(1500)
    RecordCounter("scored").update(2000)
    assert [line.partition(",  ")[0][:20] for line in lines] == ["1,500 records scored"]


def test_a_fold_is_a_line(capsys):
    fold_line("without mode 3", 1, 4)
    assert capsys.readouterr().err == "  fold 1/4: without mode 3\n"


def test_a_step_is_a_line(capsys):
    step_line("cache acme/boards")
    assert capsys.readouterr().err == "cache acme/boards …\n"


@pytest.mark.slow
def test_a_silence_is_broken_and_the_longer_it_is_the_more_rarely(capsys, monkeypatch):
    """Silence begins anew with each line; a step and a batch say what is being done."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.05)
    with Heartbeat("start"):
        until(capsys, "  start: 0 s so far")
        step_line("train")
        until(capsys, "  train: 0 s so far")
        Progress(9).batch(2, 5, 10, 0.25)
        until(capsys, "  epoch   2/9, 5 of 10 batches: 0 s so far")
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.02)
    with Heartbeat("long"):
        time.sleep(1.0)
    beats = capsys.readouterr().err.count("long: ")
    assert 2 <= beats <= 6, "0.02 s, then twice as long each time, where 0.02 s each time would be 50"
    time.sleep(0.1)
    assert capsys.readouterr().err == "", "nothing is said after the end"


def until(capsys, line):
    """Wait until a line was written."""
    end, text = time.monotonic() + 10, ""
    while line not in text:
        assert time.monotonic() < end, text
        time.sleep(0.01)
        text += capsys.readouterr().err
