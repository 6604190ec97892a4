"""The checks of a source's values, tallied batch by batch so that memory does not grow with the maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tasks.config.run import DataConfig
from tasks.data.decode import DecodedBlock
from tasks.core.results import Finding
from tasks.data.schema import TableLayout, listed

MIN_MODE_RECORDS = 3  # of a mode: one each to train on, to calibrate with and to test
MAX_CONTRADICTIONS = 0.05  # share of records; above it the labels as a whole cannot be trusted


@dataclass
class DataChecks:
    """Counts over all batches of a source. `seen` maps a whole record's hash to its label and mode."""

    data: DataConfig
    rows: int = 0
    whole: int = 0
    odd: int = 0
    not_finite: int = 0
    constant: int = 0
    unlabelled: int = 0
    first_bad: str = ""
    seen: dict[bytes, tuple[str | None, str | None]] = field(default_factory=dict)
    contradictory: set[bytes] = field(default_factory=set)

    def add(self, part: DecodedBlock, start: int) -> list[bytes]:
        """Count one block of the batch that begins at row `start`; returns the hashes of its rows."""
        finite = np.isfinite(part.maps).all(axis=1) if part.maps.size else np.ones(len(part.maps), bool)
        bad = ~finite & ~part.odd
        self.not_finite += int(bad.sum())
        self.odd += int(part.odd.sum())
        if bad.any() and not self.first_bad:
            self.first_bad = f"first in row {start + int(np.argmax(bad))}, block {part.block.prefix}"
        if part.maps.shape[1] > 1:
            self.constant += int((part.maps[finite].max(axis=1) == part.maps[finite].min(axis=1)).sum())
        hashes = part.hashes()
        if part.block.role == "record":
            self._add_records(part, hashes, finite)
        return hashes

    def _add_records(self, part: DecodedBlock, hashes: list[bytes], finite: np.ndarray) -> None:
        for key, label, mode, whole in zip(hashes, part.label, part.mode, finite, strict=True):
            self.unlabelled += label is None or mode is None
            if not whole:
                continue  # all maps of NaN would be the same record
            known = self.seen.setdefault(key, (label, mode))
            if known != (label, mode):
                self.contradictory.add(key)
        self.rows += len(hashes)
        self.whole += int(finite.sum())

    def modes(self) -> Counter[str]:
        """How many distinct, uncontradicted records each mode has."""
        known = (mode for key, (_, mode) in self.seen.items() if key not in self.contradictory)
        return Counter(mode for mode in known if mode is not None)

    def findings(self, shape: TableLayout) -> Iterator[Finding]:
        """Every check of the values, passed or not.

        Whether records repeat or contradict each other can only be told where their maps are complete.
        """
        yield Finding("records present", self.rows > 0, True, f"{self.rows} rows, {len(self.seen)} distinct records")
        if shape.kind == "records with a map column":
            size = f"{self.data.rows}×{self.data.cols}"
            yield _count("map sizes", self.odd, True, f"maps that are not {size}; set data.rows and data.cols")
        yield _count("finite values", self.not_finite, True, f"maps with NaN or infinite values; {self.first_bad}")
        yield _count("maps vary", self.constant, False, "constant maps: they carry no shape")
        yield _count("labels and modes given", self.unlabelled, True, "records without label or mode")
        if shape.fit:
            repeated = self.whole - len(self.seen)
            yield Finding("distinct records", True, False, f"{repeated} rows repeat a record; each is kept once")
            yield self._labels_agree()
            yield from self._mode_findings()

    def _labels_agree(self) -> Finding:
        count = len(self.contradictory)
        notes = f"{count} records stand there with different labels or modes; they are left out"
        share = count / max(len(self.seen), 1)
        return Finding("labels agree", not count, share > MAX_CONTRADICTIONS, notes if count else "none disagree")

    def _mode_findings(self) -> Iterator[Finding]:
        modes = self.modes()
        small = sorted(mode for mode, count in modes.items() if count < MIN_MODE_RECORDS)
        notes = f"left out, fewer than {MIN_MODE_RECORDS} records: {listed(small)}" if small else f"{len(modes)} modes"
        yield Finding("records in each mode", not small, False, notes)
        left = len(modes) - len(small)
        yield Finding("two modes at least", left >= 2, True, f"{left} with {MIN_MODE_RECORDS} records or more")
        yield self._good(
            sum(
                label == self.data.good and mode not in small
                for key, (label, mode) in self.seen.items()
                if key not in self.contradictory
            )
        )

    def _good(self, good: int) -> Finding:
        if self.data.good == "none":
            return Finding("good records", True, False, "none expected: no good-or-defect verdict")
        labels = listed(sorted({label for label, _ in self.seen.values() if label is not None}))
        missing = (
            f"no record that can be used has the label {self.data.good!r} (found: {labels}); "
            "name the good label with --set data.good=…, or data.good=none"
        )
        return Finding("good records", good > 0, True, f"{good} with label {self.data.good!r}" if good else missing)


def _count(name: str, count: int, required: bool, notes: str) -> Finding:
    return Finding(name, not count, required, f"{count} {notes}" if count else "all")
