"""The tables of all pieces as one cache: linked in order, compared by hash, and what repeats is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from tasks.caching.keys import compare_tables
from tasks.caching.pieces import Piece
from tasks.caching.tables import ANCHORS_FILE, KEYS_NAME, RECORDS_NAME, TRIPLETS_FILE
from tasks.core.files import link_or_copy
from tasks.data.checks import LabelAndMode, RecordCounts, ValueCounts
from tasks.data.records import CONTRADICTORY_FILE, LEFT_OUT_FILE, ONE_TABLE

KEYS_FOLDER = ".keys"  # of the draft, until the tables are compared


class CacheTables:
    """Collects the tables of pieces, in the source's order, in the folder of a cache while it is written.

    digests: gets the SHA-256 of tables that are known from the sealed folders of pieces, by name.
    """

    def __init__(self, folder: Path, digests: dict[str, str] | None = None) -> None:
        self.folder, self.values = folder, ValueCounts()
        self.digests = {} if digests is None else digests
        self.pairs: list[list[LabelAndMode]] = []
        (folder / KEYS_FOLDER).mkdir()

    def add(self, piece: Piece) -> None:
        """Link the tables of the next piece. Raises FileNotFoundError where another process has removed it."""
        for number in range(piece.tables):
            place = len(self.pairs) + number
            link_or_copy(piece.folder / KEYS_NAME.format(number), self.folder / KEYS_FOLDER / KEYS_NAME.format(place))
            if (records := piece.folder / RECORDS_NAME.format(number)).exists():
                link_or_copy(records, self.folder / RECORDS_NAME.format(place))
                if records.name in piece.digests:
                    self.digests[RECORDS_NAME.format(place)] = piece.digests[records.name]
        for name in (ANCHORS_FILE, TRIPLETS_FILE):
            if (piece.folder / name).exists():
                link_or_copy(piece.folder / name, self.folder / name)
        self.pairs += [piece.pairs] * piece.tables
        self.values.add(piece.values)

    def move(self, piece: Piece) -> None:
        """Add a piece whose folder is not needed any more."""
        self.add(piece)
        shutil.rmtree(piece.folder)

    def close(self) -> RecordCounts:
        """Compare the tables, and list which of their rows are left out and which records are contradictory."""
        keys = self.folder / KEYS_FOLDER
        tables = [np.load(keys / KEYS_NAME.format(i), mmap_mode="r") for i in range(len(self.pairs))]
        compared = compare_tables(tables, self.pairs)
        del tables
        shutil.rmtree(keys)
        if len(self.pairs) > 1:
            np.save(self.folder / LEFT_OUT_FILE, compared.left_out)
        elif (only := self.folder / RECORDS_NAME.format(0)).exists():
            only.rename(self.folder / ONE_TABLE)
        contradictory = "".join(f"{key.hex()}\n" for key in sorted(compared.records.contradictory))
        (self.folder / CONTRADICTORY_FILE).write_text(contradictory, encoding="utf-8")
        return compared.records
