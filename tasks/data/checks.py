"""The checks of a source's values: counted batch by batch and piece by piece, then judged as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from tasks.config.run import DataConfig
from tasks.core.json_form import Json
from tasks.core.results import Finding
from tasks.data.decode import DecodedBlock
from tasks.data.schema import MAP_COLUMN_LAYOUT, TableLayout, listed

MIN_MODE_RECORDS = 3  # of a mode: one each for training, calibration and test
MAX_CONTRADICTIONS = 0.05  # share of the records; above it the labels as a whole cannot be trusted

LabelAndMode = tuple[str | None, str | None]


@dataclass
class ValueCounts:
    """Counts over the rows of a source, or of a piece of it.

    complete_rows: blocks of records whose values are all finite; first_not_finite: row and block of the first other.
    """

    rows: int = 0
    complete_rows: int = 0
    wrong_size: int = 0
    not_finite: int = 0
    constant: int = 0
    unlabelled: int = 0
    first_not_finite: tuple[int, str] | None = None

    def update(self, blocks: Sequence[DecodedBlock]) -> None:
        """Count the blocks of one batch."""
        for block in blocks:
            self._count(block)
        self.rows += len(blocks[0].maps)

    def _count(self, block: DecodedBlock) -> None:
        not_finite = ~block.finite & ~block.wrong_size
        self.not_finite += int(not_finite.sum())
        self.wrong_size += int(block.wrong_size.sum())
        if not_finite.any() and self.first_not_finite is None:
            self.first_not_finite = self.rows + int(np.argmax(not_finite)), block.block.prefix
        if block.maps.shape[1] > 1:
            maps = block.maps if block.finite.all() else block.maps[block.finite]
            self.constant += int((maps.max(axis=1) == maps.min(axis=1)).sum())
        if block.block.role == "record":
            self.unlabelled += sum(None in pair for pair in zip(block.label, block.mode, strict=True))
            self.complete_rows += int(block.finite.sum())

    def add(self, more: ValueCounts) -> None:
        """Count the rows of the next piece."""
        if self.first_not_finite is None and more.first_not_finite is not None:
            row, prefix = more.first_not_finite
            self.first_not_finite = self.rows + row, prefix
        for name, count in asdict(more).items():
            if name != "first_not_finite":
                setattr(self, name, getattr(self, name) + count)

    @classmethod
    def from_json(cls, value: Json) -> ValueCounts:
        """The counts of a piece, from its manifest."""
        first = value["first_not_finite"]
        return cls(**{**value, "first_not_finite": first and tuple(first)})


@dataclass
class RecordCounts:
    """The distinct records with a complete map, by the label and mode of their first row.

    every: all of them; consistent: those whose rows have one label and mode; contradictory: the hashes of the others.
    Maps of NaN are left out: all of them would be one record.
    """

    every: Counter[LabelAndMode] = field(default_factory=Counter)
    consistent: Counter[LabelAndMode] = field(default_factory=Counter)
    contradictory: list[bytes] = field(default_factory=list)

    @property
    def distinct(self) -> int:
        """How many records there are."""
        return self.every.total()

    def modes(self) -> Counter[str]:
        """The number of distinct records of each mode, without contradictory ones."""
        modes: Counter[str] = Counter()
        for (_, mode), count in self.consistent.items():
            if mode is not None:
                modes[mode] += count
        return modes

    def labels(self) -> Counter[str]:
        """The number of distinct records with each label."""
        labels: Counter[str] = Counter()
        for (label, _), count in self.every.items():
            if label is not None:
                labels[label] += count
        return labels


@dataclass(frozen=True)
class DataChecks:
    """The checks of a source whose rows and records are counted."""

    layout: TableLayout
    data: DataConfig
    values: ValueCounts
    records: RecordCounts

    def result(self) -> tuple[Finding, ...]:
        """The finding of every check of the values.

        Whether records repeat or contradict each other is checked only if all columns of the map are there.
        """
        values, records = self._value_findings(), self._record_findings() if self.layout.fit else ()
        return (*values, *records)

    def _value_findings(self) -> Iterator[Finding]:
        counts = self.values
        record_rows = counts.rows * sum(block.role == "record" for block in self.layout.blocks)
        notes = f"{record_rows} rows, {self.records.distinct} distinct records"
        yield Finding("records present", record_rows > 0, True, notes)
        if self.layout.kind == MAP_COLUMN_LAYOUT:
            notes = f"maps that are not {self.data.rows}×{self.data.cols}; set data.rows and data.cols"
            yield _count("map sizes", counts.wrong_size, True, notes)
        row, prefix = counts.first_not_finite or (0, "")
        notes = f"maps with NaN or infinite values; first in row {row}, block {prefix}"
        yield _count("finite values", counts.not_finite, True, notes)
        yield _count("maps vary", counts.constant, False, "constant maps: they carry no shape")
        yield _count("labels and modes given", counts.unlabelled, True, "records without label or mode")

    def _record_findings(self) -> Iterator[Finding]:
        repeated = self.values.complete_rows - self.records.distinct
        yield Finding("distinct records", True, False, f"{repeated} rows repeat a record; each is kept once")
        yield self._labels_agree()
        modes = self.records.modes()
        small = sorted(mode for mode, count in modes.items() if count < MIN_MODE_RECORDS)
        notes = f"left out, fewer than {MIN_MODE_RECORDS} records: {listed(small)}" if small else f"{len(modes)} modes"
        yield Finding("records in each mode", not small, False, notes)
        yield self._two_modes(len(modes) - len(small), set(small))
        yield self._good_records(set(small))

    def _two_modes(self, usable: int, small_modes: set[str]) -> Finding:
        """A single mode is enough where it is that of good parts: they make a release without training."""
        notes = f"{usable} with {MIN_MODE_RECORDS} records or more"
        consistent = self.records.consistent.items()
        labels = {label for (label, mode), count in consistent if count and mode not in small_modes}
        if usable == 1 and labels == {self.data.good}:
            return Finding("two modes at least", False, False, f"{notes}, of good parts: nothing is trained")
        return Finding("two modes at least", usable >= 2, True, notes)

    def _labels_agree(self) -> Finding:
        count = len(self.records.contradictory)
        notes = f"{count} records occur with different labels or modes; they are left out"
        share = count / max(self.records.distinct, 1)
        return Finding("labels agree", not count, share > MAX_CONTRADICTIONS, notes if count else "none disagree")

    def _good_records(self, small_modes: set[str]) -> Finding:
        name = self.data.good
        if name == "none":
            return Finding("good records", True, False, "none expected: no good-or-defect verdict")
        consistent = self.records.consistent.items()
        good = sum(count for (label, mode), count in consistent if label == name and mode not in small_modes)
        if good:
            return Finding("good records", True, True, f"{good} with label {name!r}")
        labels = listed(sorted(self.records.labels()))
        notes = (
            f"no record that can be used has the label {name!r} (found: {labels}); "
            "name the good label with --set data.good=…, or data.good=none"
        )
        return Finding("good records", False, True, notes)


def _count(name: str, count: int, required: bool, notes: str) -> Finding:
    return Finding(name, not count, required, f"{count} {notes}" if count else "all")
