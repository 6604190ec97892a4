"""What the steps `score` and `drift` are asked for and what they return.

The keys of the JSON forms are a promise to whoever reads `kensa score --json` and `kensa drift --json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tasks.core.json_form import Json
from tasks.core.results import CommandResult

DriftStatus = Literal["steady", "watch", "drifted"]


@dataclass(frozen=True)
class ScoreRequest:
    """What `score` writes, and with which releases.

    out: the Parquet file of verdicts. page: an HTML file that explains them, in `language` (by default the
    release's own). version: a release such as v3, by default the champion. against: another release; the records
    on which the two differ are written to `flips_path`. config, part: the source's configuration and split, where
    it has several. good: the label of good parts in the source, id: the columns that name a part there; by default
    those of the release's training source. shadow: whether the champion's challenger judges the records, too
    (tasks/promotion/shadow.py). dask: workers that judge the records (tasks/workers/cluster.py).
    """

    out: Path
    page: Path | None = None
    version: str | None = None
    against: str | None = None
    language: str | None = None
    config: str | None = None
    part: str | None = None
    good: str | None = None
    id: str | None = None
    shadow: bool = False
    dask: str | None = None

    @property
    def flips_path(self) -> Path:
        """`verdicts.flips.parquet` beside `verdicts.parquet`."""
        return self.out.with_suffix(".flips.parquet")


@dataclass(frozen=True)
class Proportion:
    """`count` of `of` records as a rate 0..1, with its confidence interval (low, high)."""

    rate: float
    count: int
    of: int
    interval: tuple[float, float]


@dataclass(frozen=True)
class LabelledResult:
    """How well verdicts agree with the labels of the records; what cannot be computed is None.

    records: all of the source; unlabelled: those without a label; seen: those that the release was trained, stopped
    or calibrated on, which are left out of everything below. verdicts: counts of each verdict for good parts and
    for defects. false_alarms: false positives, good parts not called good; escapes: false negatives, defects
    called good. confusion (modes, modes): counts, rows by true mode, columns by predicted mode. strange_modes:
    counts of modes that the release does not know. good_label: the label that stands for good parts; labels: counts
    of all labels.
    """

    records: int
    unlabelled: int
    seen: int
    verdicts: dict[str, dict[str, int]]
    false_alarms: Proportion | None
    escapes: Proportion | None
    balanced_accuracy: float | None
    good_auroc: float | None
    good_auroc_interval: tuple[float, float] | None
    modes: list[str]
    mode_accuracy: Proportion | None
    confusion: list[list[int]]
    strange_modes: dict[str, int]
    good_label: str = "0"
    labels: dict[str, int] = field(default_factory=dict)

    @property
    def lacks_good(self) -> bool:
        """Whether there are labels and none of them stands for good parts: all records then count as defects."""
        return bool(self.labels) and self.good_label not in {*self.labels, "none"}


@dataclass(frozen=True)
class VerdictChange:
    """How many records have the verdict `before` from the other release and `after` from this one."""

    before: str
    after: str
    count: int


@dataclass(frozen=True)
class RightVerdicts:
    """Of the changed verdicts on labelled records: how often this release, the other or neither alone is right."""

    this: int
    against: int
    neither: int


@dataclass(frozen=True)
class FlipSummary:
    """Verdicts that differ between a release and `against`; `right` is None without labels; `path` lists them."""

    against: str
    records: int
    flipped: int
    pairs: tuple[VerdictChange, ...]
    right: RightVerdicts | None
    path: str = ""

    def as_json(self) -> Json:
        """The summary as one JSON object."""
        pairs = [{"from": pair.before, "to": pair.after, "count": pair.count} for pair in self.pairs]
        return {**asdict(self), "pairs": pairs}


@dataclass(frozen=True)
class ScoreResult(CommandResult):
    """The verdicts on a source: their file, and how many records are good, defect and unknown.

    `figures` is None where no record has a label; `flips` and `page` are None where they were not requested. `unread`:
    files of the source that look like data and were not read, each with the reason. `shadow`: how the challenger that
    judges beside the champion agrees with it so far (ShadowSummary); None where there is none.
    """

    source: str
    revision: str
    release: str
    path: str
    counts: dict[str, int]
    figures: LabelledResult | None = field(default=None, repr=False)
    flips: FlipSummary | None = field(default=None, repr=False)
    page: str | None = None
    unread: tuple[str, ...] = ()
    shadow: Json | None = field(default=None, repr=False)

    def as_json(self) -> Json:
        """The verdicts' summary as one JSON object."""
        return {**super().as_json(), "flips": None if self.flips is None else self.flips.as_json()}


@dataclass(frozen=True)
class Region:
    """A part of the map: first and last row and column, from 1, and where it lies, such as `upper left`."""

    rows: tuple[int, int]
    cols: tuple[int, int]
    where: str


@dataclass(frozen=True)
class ChartSummary:
    """One control chart without its points.

    title: `level`, `shape` or `score`; mode: whose, None for the score. then, now: mean of the reference and of the
    new parts, in the series' unit. effect: the change in standard deviations of single records. p: adjusted for
    everything that is tested. points: subgroups, of which `beyond` lie outside the limits. since: row from which
    the moving average is outside its limits, None if it never is. lots: lots of the reference. extreme: the value that
    lies `effect` from the reference, so that both have one sign; None in results of earlier versions.
    """

    title: str
    mode: str | None
    then: float
    now: float
    effect: float
    p: float
    points: int
    beyond: int
    since: int | None
    lots: int
    extreme: float | None = None


@dataclass(frozen=True)
class CellsSummary:
    """Cells of good parts' maps that changed: how many, p of all cells together, which way and where most of them."""

    drifted: int
    p: float
    rises: bool
    place: Region | None


@dataclass(frozen=True)
class DaySummary:
    """How one series stands over the days of a source, in standard deviations of single records of the reference.

    title: of a chart, or `cells`; mode: whose, None for score and cells. day: number of days so far. shift: this day
    minus reference; usual: mean of the earlier days minus reference; z: this day against the usual level as a standard
    normal value. lasting: mean change of the last `lasting_days` days; lasting_share: share of the CUSUM's limit.
    p_level: of the usual level against the reference. reason: of a status that is not steady: `day`, `lasting` or
    `level` for this day, a lasting change, or the usual level against the reference. On day 1, which the reference
    alone judges, only title, mode, day, status and shift have a meaning.
    """

    title: str
    mode: str | None
    day: int
    status: DriftStatus
    shift: float
    usual: float = 0.0
    z: float = 0.0
    lasting: float = 0.0
    lasting_days: int = 0
    lasting_share: float = 0.0
    p_level: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class VerdictMix:
    """Shares (good, defect, unknown) of the reference and of the new parts; p by χ², effect is Cramér's V."""

    then: list[float]
    now: list[float]
    p: float
    effect: float
    changed: bool


@dataclass(frozen=True)
class DriftResult(CommandResult):
    """How new parts compare with a release's reference.

    `charts`: the clearest first; `cells` is None where there are too few maps; `unread`: see ScoreResult.
    `left_out`: how many records were left out because the release was made with them; `counted`: because an earlier day
    has counted them. `day`: 1 for the first comparison of this source with this release; `days`: each series over the
    days, the clearest first.
    The JSON key of `status` is `standing`.
    """

    source: str
    revision: str
    release: str
    status: DriftStatus
    records: int
    charts: list[ChartSummary] = field(repr=False)
    cells: CellsSummary | None = field(repr=False)
    mix: VerdictMix = field(repr=False)
    page: str = ""
    unread: tuple[str, ...] = ()
    left_out: int = 0
    counted: int = 0
    day: int = 1
    days: list[DaySummary] = field(default_factory=list, repr=False)

    @property
    def significant_charts(self) -> list[ChartSummary]:
        """The charts with p ≤ 0.05."""
        return [chart for chart in self.charts if chart.p <= 0.05]

    @property
    def remarkable_days(self) -> list[DaySummary]:
        """The series that are not steady over the days; none on day 1."""
        return [day for day in self.days if day.status != "steady"] if self.day > 1 else []

    def as_json(self) -> Json:
        """The comparison as one JSON object."""
        entries = super().as_json()
        return {"standing": entries.pop("status"), **entries}
