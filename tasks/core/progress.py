"""Progress on stderr: a line for each step and epoch, a bar within the epoch on a terminal, and counts of records."""

from __future__ import annotations

import atexit
import sys
import time

from tasks.core.log_lines import say
from tasks.core.results import Epoch

COUNTER_SECONDS = 5.0


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
        if self.bar is not None:
            self.bar.start()
            title = f"epoch {epoch:>3}/{self.epochs}"
            self.bar.update(self.bar.task_ids[0], description=title, completed=done, total=of, loss=loss, refresh=True)

    def epoch(self, line: Epoch) -> None:
        """Write the line of an epoch in place of its bar."""
        if self.bar is not None:
            self.bar.stop()
        say(epoch_line(line, self.epochs))


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
            say(f"  {records:,} records {self.verb}, {rate:,.0f} a second")


def step_line(title: str) -> None:
    """Write which step begins."""
    say(f"{title} …")


def note_line(text: str) -> None:
    """Write what a person should know of the step that was just done."""
    say(f"  {text}")


def fold_line(title: str, number: int, of: int) -> None:
    """Write which fold is trained next."""
    say(f"  fold {number}/{of}: {title}")


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
