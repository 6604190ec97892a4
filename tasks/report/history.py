"""All models of a line in their order, with what became of them: what `kensa history` tells and draws."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.core.json_form import Json
from tasks.evaluation.comparison_report import Interval
from tasks.registry.candidates import candidates
from tasks.registry.journal import Entry
from tasks.registry.journal_events import MOVES, full_journal
from tasks.registry.observations import Observation, observations
from tasks.registry.pointer import CHAMPION_FILE, champion_state
from tasks.registry.release_files import UNREADABLE_RELEASE, read_report
from tasks.registry.releases import Release, readable_releases, rejected_drafts

RATES = ("escapes", "false alarms")
# What people do to models and labels; what a retraining does stands in the table of models.
BY_PEOPLE = ("approved", "refused", "rolled back", "recalibrated", "labels published", "enrolled", "signed", "pruned")


@dataclass(frozen=True)
class Measured:
    """A figure 0..1 with its interval; both None where it was not measured."""

    value: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True)
class Model:
    """A release or a rejected draft.

    name: v3, or the first digits of a draft; status: released, candidate, recalibrated, enrolled or rejected;
    created: UTC; frozen: the test set; auroc, escapes, false_alarms: on it; against, difference: the champion of that
    time, and this model less that one on the same records; labelled, drift: the last observation of it by kind;
    people: what people decided about it; zero: whether it is made from good parts alone.
    """

    name: str
    status: str
    created: str | None
    source: str
    revision: str
    records: int | None
    frozen: str | None
    auroc: Measured
    escapes: Measured
    false_alarms: Measured
    against: str | None
    difference: Measured
    labelled: Observation | None = None
    drift: Observation | None = None
    people: str | None = None
    zero: bool = False

    @property
    def is_better(self) -> bool:
        """Whether it was shown to be better than the champion of that time."""
        return self.difference.interval is not None and self.difference.interval[0] > 0


@dataclass(frozen=True)
class Reign:
    """A champion from one place to another on the axis of models, whose i-th model stands at i; since: UTC."""

    name: str
    since: str | None
    start: float
    end: float


@dataclass(frozen=True)
class LineHistory:
    """figure: the metric of `auroc`, `good_auroc` or `auroc`; models: oldest first; decisions: of people, newest first.

    moved: the journal's entry of the champion's last move.
    """

    figure: str
    models: tuple[Model, ...]
    reigns: tuple[Reign, ...]
    champion: str | None
    moved: Entry | None
    waiting: str | None
    decisions: tuple[Entry, ...]
    observations: tuple[Observation, ...]

    def as_json(self) -> Json:
        """The history as `kensa history --json` prints it."""
        values = asdict(self)
        return {
            "champion": self.champion,
            "waiting": self.waiting,
            "figure": self.figure,
            "models": [{**model, "better": mine.is_better} for model, mine in _pairs(values["models"], self.models)],
            "champions": [{"name": reign.name, "since": reign.since} for reign in self.reigns],
            "decisions": [_told(entry) for entry in self.decisions],
            "observations": [_told(entry) for entry in self.observations],
        }

    @property
    def since_champion(self) -> tuple[Model, ...]:
        """The models that were trained after the champion."""
        names = [model.name for model in self.models]
        return self.models[names.index(self.champion) + 1 :] if self.champion in names else ()

    def model(self, name: str | None) -> Model | None:
        """The model of that name."""
        return next((model for model in self.models if model.name == name), None)


def _pairs(values: Sequence[Json], models: Sequence[Model]) -> list[tuple[Json, Model]]:
    return list(zip(values, models, strict=True))


def _told(entry: Entry | Observation) -> Json:
    return {name: value for name, value in vars(entry).items() if name not in ("key", "seal", "previous", "was")}


def line_history(artifacts: Path) -> LineHistory:
    """The history of the releases in a folder. Raises DamagedJournal; a damaged release is left out."""
    seen, journal = observations(artifacts), full_journal(artifacts)
    decided = candidates(artifacts)
    people = {entry.release.version: entry.sentence for entry in decided}
    stored = sorted([*readable_releases(artifacts), *rejected_drafts(artifacts)], key=_age)
    figure = "good_auroc" if any("good_auroc" in entry.manifest.metrics for entry in stored) else "auroc"
    models = tuple(_model(entry, figure, people.get(entry.version), seen) for entry in stored)
    moves = [entry for entry in journal.entries if entry.event in MOVES]
    there = (artifacts / CHAMPION_FILE).exists()
    state = champion_state(artifacts) if there or models else None
    return LineHistory(
        figure=figure,
        models=models,
        reigns=_reigns(models, moves, state.history if state else ()),
        champion=state and state.champion,
        moved=moves[-1] if moves else None,
        waiting=next((entry.release.version for entry in decided if entry.state == "waiting"), None),
        decisions=tuple(entry for entry in reversed(journal.entries) if _is_by_people(entry)),
        observations=tuple(seen),
    )


def _age(release: Release) -> tuple[str, int]:
    number = release.version[1:] if release.version.startswith("v") else ""
    return release.manifest.created or "", int(number) if number.isdigit() else 0


def _is_by_people(entry: Entry) -> bool:
    return entry.event in BY_PEOPLE or (entry.event == "promoted" and not entry.why.startswith("by the gate"))


def _model(release: Release, figure: str, people: str | None, seen: Sequence[Observation]) -> Model:
    manifest, report = release.manifest, _stored_figures(release)
    comparison = manifest.comparison or {}
    mine = [entry for entry in seen if (entry.release, entry.fingerprint) == _identity(release)]
    last = {entry.kind: entry for entry in mine}
    draft = not release.version.startswith("v")
    detected = _measured("good_tpr", manifest.metrics, report)
    if manifest.overruled is not None:
        people = f"promoted by {manifest.overruled['by']} against the gate: {manifest.overruled['why']}"
    return Model(
        name=release.version[:8] if draft else release.version,
        status=manifest.made_by,
        created=manifest.created,
        source=manifest.train.source,
        revision=manifest.train.revision,
        records=manifest.train.records,
        frozen=manifest.frozen.version if manifest.frozen else None,
        auroc=_measured(figure, manifest.metrics, report),
        escapes=_complement(detected),
        false_alarms=_measured("good_fpr", manifest.metrics, report),
        against=manifest.compared_with,
        difference=Measured(comparison.get("difference"), _interval(comparison.get("interval"))),
        labelled=last.get("labels"),
        drift=last.get("drift"),
        people=people,
        zero=manifest.zero is not None,
    )


def _identity(release: Release) -> tuple[str, str]:
    return release.version, release.manifest.fingerprint[:16]


def _stored_figures(release: Release) -> Json:
    """The figures of the report with their intervals; none where it cannot be read."""
    try:
        figures = read_report(release.path).get("figures")
    except UNREADABLE_RELEASE:
        return {}
    return figures if isinstance(figures, dict) else {}


def _measured(name: str, metrics: dict[str, float], report: Json) -> Measured:
    """The manifest's value, with the report's interval where it is of the same value."""
    value = metrics.get(name)
    if value is None or report.get(name) != value:
        return Measured(value)
    intervals = report.get("intervals") or {}
    return Measured(value, _interval(report.get(f"{name}_interval") or intervals.get(name)))


def _interval(ends: Any) -> Interval | None:
    return (float(ends[0]), float(ends[1])) if ends else None


def _complement(share: Measured) -> Measured:
    if share.value is None:
        return share
    return Measured(1 - share.value, share.interval and (1 - share.interval[1], 1 - share.interval[0]))


def _reigns(models: Sequence[Model], moves: Sequence[Entry], former: Sequence[str]) -> tuple[Reign, ...]:
    """Who was champion from where to where; of an earlier version's line, which has no moves, by its pointer."""
    names = [model.name for model in models]
    steps = [(name, None) for name in former if name in names] if not moves else [(m.subject, m.when) for m in moves]
    starts = [(name, when, _place(models, name, when)) for name, when in steps]
    if not starts:
        return ()
    last = max(len(models) - 0.5, starts[-1][2] + 0.5)  # also of one that began after the last model
    ends = [*(start for _, _, start in starts[1:]), last]
    return tuple(
        Reign(name, when, start, end) for (name, when, start), end in zip(starts, ends, strict=True) if end > start
    )


def _place(models: Sequence[Model], name: str, when: str | None) -> float:
    """Where a reign begins: at its own model, or after the last one that there was when the champion moved."""
    names = [model.name for model in models]
    own = float(names.index(name)) if name in names else -0.5
    if when is None:
        return own
    before = [i for i, model in enumerate(models) if model.created and _time(model.created) <= _time(when)]
    last = before[-1] if before else -1
    return own if last == own else last + 0.5


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
