"""Progress on stderr: a line for each epoch, a bar within it on a terminal, and counts of records."""

from __future__ import annotations

import sys
import time

from tasks.core.results import Epoch

BAR_WIDTH = 24
COUNTER_SECONDS = 5.0


class Progress:
    """The progress of a training; stdout stays free for `--json`."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.is_terminal = sys.stderr.isatty()

    def batch(self, epoch: int, done: int, of: int, loss: float) -> None:
        """Redraw the bar after batch `done` of `of`; nothing where stderr is no terminal."""
        if self.is_terminal:
            filled = BAR_WIDTH * done // max(of, 1)
            bar = "█" * filled + "·" * (BAR_WIDTH - filled)
            sys.stderr.write(f"\r  epoch {epoch:>3}/{self.epochs} {bar} loss {loss:.4f}")
            sys.stderr.flush()

    def epoch(self, line: Epoch) -> None:
        """Write the line of an epoch."""
        sys.stderr.write(("\r\x1b[K" if self.is_terminal else "") + epoch_line(line, self.epochs) + "\n")
        sys.stderr.flush()


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
            sys.stderr.write(f"  {records:,} records {self.verb}, {rate:,.0f} a second\n")
            sys.stderr.flush()


def fold_line(title: str, number: int, of: int) -> None:
    """Write which fold is trained next."""
    sys.stderr.write(f"  fold {number}/{of}: {title}\n")
    sys.stderr.flush()


def epoch_line(line: Epoch, epochs: int) -> str:
    """One epoch as text: losses, share of active triplets, mean norm and spread of the embeddings."""
    return (
        f"  epoch {line.epoch:>3}/{epochs}  loss {line.loss:.4f}  validation {line.val_loss:.4f}  "
        f"active {line.active:4.0%}  norm {line.norm:.3g}  spread {line.spread:.3g}  {line.seconds:.1f} s"
    )
