"""The plan of an attribute agreement study: which parts are judged again, a stated share of them near the threshold.

study/plan.json    the parts with their references, and the release's answers; sealed
study/sheet.csv    for inspectors: every trial of each in an order of its own, with an empty column `answer`
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tasks.core.errors import UnfitStudy
from tasks.core.files import add_checksum, checksum_matches, ensure_writable, write_json, write_text
from tasks.core.json_form import Json, record_of
from tasks.core.results import CommandResult
from tasks.core.text import one_line
from tasks.data.readers import TableSource
from tasks.registry.loading import LoadedRelease
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords
from tasks.scoring.batch import ScoredBatch
from tasks.scoring.judging import score_batches
from tasks.scoring.table import release_digest

PLAN_FILE, SHEET_FILE = "plan.json", "sheet.csv"
SHEET_COLUMNS = ("inspector", "trial", "place", "part", "answer")
NEAR_SHARE = 0.4  # of the parts; the manual wants a third to a half
MAX_PARTS = 10_000
SEED = 42


@dataclass(frozen=True)
class StudyPart:
    """A part: its name, the hash of its map, its row, the reference and the release's answer, True for a defect.

    margin: threshold minus score; near: whether it was picked because it is near the threshold.
    """

    part: str
    record: str
    row: int
    defect: bool
    called: bool
    margin: float
    near: bool


@dataclass(frozen=True)
class StudyResult(CommandResult):
    """A plan that was made: how many parts it has, defects among them and those near the threshold, and its files."""

    status: Literal["planned"]
    release: str
    parts: int
    defects: int
    near: int
    plan: str
    sheet: str


@dataclass(frozen=True)
class StudyPlan:
    """The plan as it is stored. digest: of the release's manifest, so that no other one judges the repeats."""

    release: str
    digest: str
    source: str
    revision: str
    threshold: float
    inspectors: tuple[str, ...]
    trials: int
    parts: tuple[StudyPart, ...]

    @property
    def defect(self) -> np.ndarray:
        """The references (parts,)."""
        return np.array([part.defect for part in self.parts], bool)

    def save(self, folder: Path) -> StudyResult:
        """Write plan and sheet, and say where they are; raises UnfitStudy where the folder has a sheet with answers."""
        sheet = ensure_writable(folder) / SHEET_FILE
        if sheet.exists() and any(row.get("answer") for row in read_rows(sheet)):
            raise UnfitStudy(f"{sheet}: expected a new folder, found answers; choose another with --folder")
        write_text(sheet, self.sheet())
        write_json(folder / PLAN_FILE, add_checksum(json.loads(json.dumps(asdict(self)))))
        near = sum(part.near for part in self.parts)
        counts = {"parts": len(self.parts), "defects": int(self.defect.sum()), "near": near}
        return StudyResult("planned", self.release, **counts, plan=str(folder / PLAN_FILE), sheet=str(sheet))

    @classmethod
    def load(cls, folder: Path) -> StudyPlan:
        """The plan in a folder; raises UnfitStudy where there is none, or it was changed."""
        path = folder / PLAN_FILE
        try:
            values: Json = json.loads(path.read_text(encoding="utf-8"))
            if not checksum_matches(values):
                raise ValueError("it differs from its checksum")
            return record_of(cls, values)
        except FileNotFoundError:
            raise UnfitStudy(f"{folder}: expected {PLAN_FILE}, found none; kensa study plan SOURCE makes it") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnfitStudy(f"{path}: expected the plan as it was written ({one_line(error)}); plan anew") from None

    def sheet(self) -> str:
        """The sheet as CSV: for each inspector and trial all parts, in an order of its own."""
        text, rng = io.StringIO(), np.random.default_rng(SEED)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SHEET_COLUMNS)
        for inspector in self.inspectors:
            for trial in range(1, self.trials + 1):
                for place, i in enumerate(rng.permutation(len(self.parts)), 1):
                    writer.writerow([inspector, trial, place, self.parts[i].part, ""])
        return text.getvalue()


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a sheet; raises UnfitStudy for a file without its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnfitStudy(f"{path}: expected a sheet as CSV in UTF-8, found none ({one_line(error)})") from None
    if lacking := {"inspector", "trial", "part", "answer"} - set(columns):
        raise UnfitStudy(f"{path}: expected the columns {', '.join(SHEET_COLUMNS)}, found no {min(lacking)}")
    return rows


@dataclass(frozen=True)
class StudyRequest:
    """How many parts, the share of them near the threshold, who judges them, and how often."""

    parts: int = 50
    near: float = NEAR_SHARE
    inspectors: tuple[str, ...] = ()
    trials: int = 3


def plan_study(
    source: TableSource, release: LoadedRelease, request: StudyRequest, origin: tuple[str, str]
) -> StudyPlan:
    """The plan for a source with labels; origin: its name and revision.

    Half of the parts are defects, as far as there are as many; parts that the release was made with are left out. Of
    each kind those with the smallest margins are near the threshold, and the others are drawn at random.
    Raises UnfitStudy for too few parts.
    """
    candidates = _candidates(source, release)
    defects = [part for part in candidates if part.defect]
    good = [part for part in candidates if not part.defect]
    if not defects or not good or len(candidates) < request.parts:
        raise UnfitStudy(
            f"{source.name}: expected {request.parts} labelled parts that are new to {release.version}, good ones and "
            f"defects, found {len(good)} good and {len(defects)} defective; give more, or ask for fewer with --parts"
        )
    of_defects = min(len(defects), max(request.parts // 2, request.parts - len(good)))
    rng = np.random.default_rng(SEED)
    chosen = [
        *_choose(defects, of_defects, request.near, rng),
        *_choose(good, request.parts - of_defects, request.near, rng),
    ]
    return StudyPlan(
        release=release.version,
        digest=release_digest(release),
        source=origin[0],
        revision=origin[1],
        threshold=release.defect_threshold,
        inspectors=request.inspectors,
        trials=request.trials,
        parts=tuple(chosen[i] for i in rng.permutation(len(chosen))),
    )


def _candidates(source: TableSource, release: LoadedRelease) -> list[StudyPart]:
    """The labelled parts that are new to the release, each name and each map once."""
    records_in_making = RecordKeys(SplitRecords.load(release.path).hash)
    parts: dict[str, StudyPart] = {}
    for batch in score_batches(source, release):
        known = records_in_making.contain(batch.records.hashes)
        for i, label in enumerate(batch.records.label):
            if label is not None and not known[i]:
                part = _study_part(batch, i, label != release.data.good)
                parts.setdefault(part.part, part)
    return list({part.record: part for part in parts.values()}.values())


def _study_part(batch: ScoredBatch, i: int, defect: bool) -> StudyPart:
    record = batch.record(i)
    name, key = record.id or f"row {record.row}", batch.records.hashes[i].hex()
    return StudyPart(name, key, record.row, defect, record.verdict != "good", record.margin, near=False)


def _choose(parts: list[StudyPart], count: int, near: float, rng: np.random.Generator) -> list[StudyPart]:
    """So many parts: first those with the smallest margins, then random ones."""
    ordered = sorted(parts, key=lambda part: (abs(part.margin), part.record))
    closest = round(near * count)
    rest = rng.choice(len(ordered) - closest, count - closest, replace=False) + closest
    return [
        *(StudyPart(**vars(part) | {"near": True}) for part in ordered[:closest]),
        *(ordered[i] for i in sorted(rest)),
    ]
