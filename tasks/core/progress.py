"""Progress on stderr: a line for each step and epoch, a bar within the epoch on a terminal, and counts of records."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tasks.core.log_lines import say
from tasks.core.results import Epoch

COUNTER_SECONDS = 5.0
SILENT_SECONDS = 5.0  # after which a command says that it still works
RARELY_SECONDS = 60.0  # between two such lines of a long silence


@dataclass
class _Moment:
    """What this process does, since when, and when the last line of it was written; of one command."""

    title: str = ""
    since: float = 0.0
    written: float = 0.0

    def begin(self, title: str) -> None:
        """Another step, or another part of one, begins."""
        self.title, self.since = title, time.monotonic()


_moment = _Moment()


class Heartbeat:
    """For `with`: breaks a silence of SILENT_SECONDS by a line that says what is done and for how long.

    In a longer silence each further line comes after twice the time, at most RARELY_SECONDS.
    """

    def __init__(self, title: str) -> None:
        self.title, self.ended = title, threading.Event()

    def __enter__(self) -> Heartbeat:
        _moment.begin(self.title)
        _moment.written = time.monotonic()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()

    def _beat(self) -> None:
        before, due = _moment.written, SILENT_SECONDS
        while not self.ended.wait(SILENT_SECONDS / 10):
            if _moment.written != before:
                before, due = _moment.written, SILENT_SECONDS
            if time.monotonic() - before >= due:
                due += min(due, RARELY_SECONDS)
                say(f"  {_moment.title}: {time.monotonic() - _moment.since:.0f} s so far")


class Progress:
    """The progress of a training; stdout stays free for `--json`."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]:.4f}"))
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self.bar.add_task("", loss=0.0)
            atexit.register(self.bar.stop)  # gives the cursor back after an error within an epoch

    def batch(self, epoch: int, done: int, of: int, loss: float) -> None:
        """Move the bar after batch `done` of `of`; nothing where stderr is no terminal."""
        title = f"epoch {epoch:>3}/{self.epochs}"
        _moment.title = f"{title}, {done:,} of {of:,} batches"
        if self.bar is not None:
            _moment.written = time.monotonic()
            self.bar.start()
            self.bar.update(self.bar.task_ids[0], description=title, completed=done, total=of, loss=loss, refresh=True)

    def epoch(self, line: Epoch) -> None:
        """Write the line of an epoch in place of its bar."""
        if self.bar is not None:
            self.bar.stop()
        _write(epoch_line(line, self.epochs))
        _moment.begin(f"after epoch {line.epoch}")


_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


@contextmanager
def counts_sent_to(listener: Callable[[str], None]) -> Iterator[None]:
    """Send the lines of record counters to `listener`, too, such as the log of a run."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class RecordCounter:
    """Writes every few seconds how many records are done; nothing for work that is done before."""

    def __init__(self, verb: str) -> None:
        self.verb, self.start = verb, time.monotonic()
        self.last_printed = self.start

    def update(self, records: int) -> None:
        """Write the number of records so far, unless the last line is recent."""
        now = time.monotonic()
        if now - self.last_printed >= COUNTER_SECONDS:
            self.last_printed = now
            rate = records / (now - self.start)
            line = f"{records:,} records {self.verb}, {rate:,.0f} a second"
            _write(f"  {line}")
            if listener := _listener.get():
                listener(line)


def step_line(title: str) -> None:
    """Write which step begins."""
    _moment.begin(title)
    _write(f"{title} …")


def note_line(text: str) -> None:
    """Write what a person should know of the step that was just done."""
    _write(f"  {text}")


def fold_line(title: str, number: int, of: int) -> None:
    """Write which fold is trained next."""
    _write(f"  fold {number}/{of}: {title}")


def _write(line: str) -> None:
    _moment.written = time.monotonic()
    say(line)


def epoch_line(line: Epoch, epochs: int) -> str:
    """One epoch as text: loss, validation, share of active triplets, seconds."""
    return (
        f"  epoch {line.epoch:>3}/{epochs}  loss {line.loss:.4f}  {validation_text(line)}  "
        f"active {line.active:4.0%}  {line.seconds:.1f} s"
    )


def validation_text(line: Epoch) -> str:
    """The loss on the validation part, and how well its modes are recognised."""
    text = f"validation {line.val_loss:.4f}"
    if line.val_auroc is None:
        return text
    return f"{text}  AUROC {line.val_auroc:.3f}  accuracy {line.val_mode_accuracy:4.0%}"
