"""Progress goes to stderr: a line for each epoch, a bar on a terminal, a count every few seconds."""

from __future__ import annotations

import io

from tasks.core import progress
from tasks.core.progress import Progress, RecordCounter, epoch_line, fold_line, step_line
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
    clock = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    counter = RecordCounter("read")
    for records in (10, 600, 700, 1200):
        counter.update(records)
    assert capsys.readouterr().err == "  600 records read, 100 a second\n  1,200 records read, 100 a second\n"


def test_a_fold_is_a_line(capsys):
    fold_line("without mode 3", 1, 4)
    assert capsys.readouterr().err == "  fold 1/4: without mode 3\n"


def test_a_step_is_a_line(capsys):
    step_line("cache acme/boards")
    assert capsys.readouterr().err == "cache acme/boards …\n"
