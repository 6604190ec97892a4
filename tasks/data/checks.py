"""The checks of a source's values, counted batch by batch: memory grows with the records, not with their maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tasks.config.run import DataConfig
from tasks.core.results import Finding
from tasks.data.decode import DecodedBlock
from tasks.data.schema import MAP_COLUMN_LAYOUT, TableLayout, listed

MIN_MODE_RECORDS = 3  # of a mode: one each for training, calibration and test
MAX_CONTRADICTIONS = 0.05  # share of the records; above it the labels as a whole cannot be trusted


class DataChecks:
    """Collects counts over all batches of a source.

    `rows`: rows read. `records`: the hash of each record with a complete map, with its label and mode.
    `contradictory`: hashes of records that occur with several labels or modes.
    """

    def __init__(self, layout: TableLayout, data: DataConfig) -> None:
        self.layout, self.data = layout, data
        self.rows = self.complete_rows = self.wrong_size = self.not_finite = self.constant = self.unlabelled = 0
        self.first_not_finite = ""
        self.records: dict[bytes, tuple[str | None, str | None]] = {}
        self.contradictory: set[bytes] = set()

    def update(self, blocks: Sequence[DecodedBlock]) -> None:
        """Count the blocks of one batch."""
        for block in blocks:
            finite = np.isfinite(block.maps).all(axis=1)
            self._count_values(block, finite)
            if block.block.role == "record":
                self._count_records(block, finite)
        self.rows += len(blocks[0].maps)

    def _count_values(self, block: DecodedBlock, finite: np.ndarray) -> None:
        not_finite = ~finite & ~block.wrong_size
        self.not_finite += int(not_finite.sum())
        self.wrong_size += int(block.wrong_size.sum())
        if not_finite.any() and not self.first_not_finite:
            row = self.rows + int(np.argmax(not_finite))
            self.first_not_finite = f"first in row {row}, block {block.block.prefix}"
        if block.maps.shape[1] > 1:
            self.constant += int((block.maps[finite].max(axis=1) == block.maps[finite].min(axis=1)).sum())

    def _count_records(self, block: DecodedBlock, finite: np.ndarray) -> None:
        for key, label, mode, complete in zip(block.hashes, block.label, block.mode, finite, strict=True):
            self.unlabelled += label is None or mode is None
            if complete and self.records.setdefault(key, (label, mode)) != (label, mode):
                self.contradictory.add(key)  # maps of NaN are left out: all of them would be one record
        self.complete_rows += int(finite.sum())

    def modes(self) -> Counter[str]:
        """The number of distinct records of each mode, without contradictory ones."""
        return Counter(mode for _, mode in self._consistent() if mode is not None)

    def _consistent(self) -> Iterator[tuple[str | None, str | None]]:
        return (texts for key, texts in self.records.items() if key not in self.contradictory)

    def result(self) -> tuple[Finding, ...]:
        """The finding of every check of the values.

        Whether records repeat or contradict each other is checked only if all columns of the map are there.
        """
        values, records = self._value_findings(), self._record_findings() if self.layout.fit else ()
        return (*values, *records)

    def _value_findings(self) -> Iterator[Finding]:
        record_rows = self.rows * sum(block.role == "record" for block in self.layout.blocks)
        yield Finding(
            "records present", record_rows > 0, True, f"{record_rows} rows, {len(self.records)} distinct records"
        )
        if self.layout.kind == MAP_COLUMN_LAYOUT:
            notes = f"maps that are not {self.data.rows}×{self.data.cols}; set data.rows and data.cols"
            yield _count("map sizes", self.wrong_size, True, notes)
        notes = f"maps with NaN or infinite values; {self.first_not_finite}"
        yield _count("finite values", self.not_finite, True, notes)
        yield _count("maps vary", self.constant, False, "constant maps: they carry no shape")
        yield _count("labels and modes given", self.unlabelled, True, "records without label or mode")

    def _record_findings(self) -> Iterator[Finding]:
        repeated = self.complete_rows - len(self.records)
        yield Finding("distinct records", True, False, f"{repeated} rows repeat a record; each is kept once")
        yield self._labels_agree()
        modes = self.modes()
        small = sorted(mode for mode, count in modes.items() if count < MIN_MODE_RECORDS)
        notes = f"left out, fewer than {MIN_MODE_RECORDS} records: {listed(small)}" if small else f"{len(modes)} modes"
        yield Finding("records in each mode", not small, False, notes)
        usable = len(modes) - len(small)
        yield Finding("two modes at least", usable >= 2, True, f"{usable} with {MIN_MODE_RECORDS} records or more")
        yield self._good_records(set(small))

    def _labels_agree(self) -> Finding:
        count = len(self.contradictory)
        notes = f"{count} records occur with different labels or modes; they are left out"
        share = count / max(len(self.records), 1)
        return Finding("labels agree", not count, share > MAX_CONTRADICTIONS, notes if count else "none disagree")

    def _good_records(self, small_modes: set[str]) -> Finding:
        name = self.data.good
        if name == "none":
            return Finding("good records", True, False, "none expected: no good-or-defect verdict")
        good = sum(label == name and mode not in small_modes for label, mode in self._consistent())
        if good:
            return Finding("good records", True, True, f"{good} with label {name!r}")
        labels = listed(sorted({label for label, _ in self.records.values() if label is not None}))
        notes = (
            f"no record that can be used has the label {name!r} (found: {labels}); "
            "name the good label with --set data.good=…, or data.good=none"
        )
        return Finding("good records", False, True, notes)


def _count(name: str, count: int, required: bool, notes: str) -> Finding:
    return Finding(name, not count, required, f"{count} {notes}" if count else "all")
