"""`kensa study`: an attribute agreement study of inspectors and a release, after AIAG's manual."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typer import Argument, Option

from kensa.cli.command import with_examples
from kensa.cli.options import (
    ARTIFACTS,
    AS_JSON,
    CONFIG,
    LINE,
    PART,
    RELEASE,
    SOURCE_FORMS,
    VERIFY_KEY,
    line_artifacts,
    line_data,
)
from kensa.cli.terminal import print_result, print_table
from tasks.config.run import DATA_FOLDER
from tasks.core.errors import BadSetting
from tasks.core.text import one_line
from tasks.sources.address import join_sources

if TYPE_CHECKING:
    from tasks.data.readers import TableSource
    from tasks.registry.loading import LoadedRelease
    from tasks.study.agreement import Agreement, Kappa, Rate
    from tasks.study.plan import StudyResult

TITLES = {
    "effectiveness": "parts right in every trial",
    "misses": "defects called good",
    "false_alarms": "good parts called defective",
    "repeatability": "parts with the same answer in every trial",
}


@with_examples(
    "kensa study plan ./study-parts --inspectors sato,ito --trials 3",
    "kensa study plan ./study-parts --parts 300 --folder study-2027",
    "kensa study judge ./second-measurement ./third-measurement --id serial",
)
def study(
    what: Literal["plan", "judge"] = Argument(metavar="WHAT", help="plan or judge."),
    source: list[str] = Argument(
        None,
        metavar="[SOURCE]...",
        help=f"plan: the labelled parts, {SOURCE_FORMS}. judge: each is another measurement of the planned parts.",
        show_default="none",
    ),
    folder: Path = Option("study", metavar="DIR", help="Folder of the study: its plan and its sheet."),
    parts: int = Option(50, metavar="NUMBER", help="plan: how many parts are judged.", min=10, max=10_000),
    near: float = Option(0.4, metavar="SHARE", help="plan: share of the parts near the threshold.", min=0, max=1),
    inspectors: str = Option("", metavar="NAMES", help="plan: who judges them, with commas between."),
    trials: int = Option(3, metavar="NUMBER", help="plan: how often each inspector judges each part.", min=1, max=20),
    answers: list[Path] = Option(
        None, metavar="FILE", help="judge: filled-in sheets; may be repeated.", show_default="the study's own sheet"
    ),
    release: str | None = RELEASE,
    config: str | None = CONFIG,
    part: str | None = PART,
    good: str | None = Option(
        None, metavar="LABEL", help="Label of a good part in the source.", show_default="the release's own"
    ),
    id: str | None = Option(
        None, metavar="COLUMN", help="Column that names a part.", show_default="the release's own, else file and row"
    ),
    line: str | None = LINE,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Study how well inspectors and a release agree with the reference.

    An attribute agreement study, after AIAG's manual. plan picks labelled parts that are new to the release, a
    share of them near the threshold, and writes a sheet for inspectors. judge takes the filled-in sheet and repeated
    measurements: effectiveness, misses and false alarms with exact intervals, kappa, repeatability, and whether the
    limits of 90 %, 2 % and 5 % are shown to be kept.
    """
    from kensa.libraries import set_defaults
    from tasks.core.progress import Heartbeat

    set_defaults()
    places = line_artifacts(line, artifacts), line_data(line, Path(DATA_FOLDER))
    reader = _Reader(*places, good, id, {"config": config, "part": part})
    with Heartbeat("study"):
        if what == "plan":
            result = _plan(source or [], reader, release, folder, (parts, near, _names(inspectors), trials))
        else:
            result = _judge(source or [], reader, folder, answers)
    print_result(result, as_json, _print_plan if what == "plan" else _print_agreement)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


@dataclass(frozen=True)
class _Reader:
    """Opens sources as a release reads them, with the label of good parts and the names of parts that are given."""

    artifacts: Path
    data: Path
    good: str | None
    id: str | None
    choice: dict[str, str | None]

    def release(self, version: str | None) -> LoadedRelease:
        """The release of that name, or the champion."""
        from tasks.registry.loading import load_release

        release = load_release(self.artifacts, version)
        named = {name: value for name, value in (("good", self.good), ("id", self.id)) if value is not None}
        return replace(release, data=replace(release.data, **named))

    def open(self, source: str, release: LoadedRelease) -> tuple[TableSource, tuple[str, str]]:
        """The source's table, and its name and revision."""
        from tasks.download import download, resolve
        from tasks.scoring.judging import open_parts

        downloaded = download(resolve(source, None, self.data))
        origin = downloaded.resolved.source, downloaded.resolved.revision
        return open_parts(downloaded, release, **self.choice), origin


def _plan(
    sources: list[str], reader: _Reader, version: str | None, folder: Path, request: tuple[Any, ...]
) -> StudyResult:
    from tasks.study.plan import StudyRequest, plan_study

    if not sources:
        raise BadSetting("SOURCE: expected labelled parts, found none; see kensa study --help")
    release = reader.release(version)
    table, origin = reader.open(join_sources(sources), release)
    return plan_study(table, release, StudyRequest(*request), origin).save(folder)


def _judge(repeats: list[str], reader: _Reader, folder: Path, sheets: list[Path] | None) -> Agreement:
    from tasks.study.agreement import agreement
    from tasks.study.answers import inspectors_answers, release_answers
    from tasks.study.plan import SHEET_FILE, StudyPlan

    plan = StudyPlan.load(folder)
    release = reader.release(plan.release)
    tables = [reader.open(repeat, release)[0] for repeat in repeats]
    answers = {f"release {plan.release}": release_answers(plan, release, tables)}
    return agreement(answers | inspectors_answers(plan, sheets or [folder / SHEET_FILE]), plan.defect)


def _print_plan(result: StudyResult) -> None:
    from tasks.study.agreement import MOST_MISSED, parts_without_error

    needed, counts = parts_without_error(MOST_MISSED), f"{result.defects} defective, {result.near} near the threshold"
    print(f"planned: {result.parts} parts for {result.release}, {counts}")
    print(f"  {result.sheet}: for the inspectors' answers, good or defect")
    print(f"  {result.plan}: the references; do not show them to the inspectors")
    if result.defects < needed:
        print(f"  {needed} defects without a miss show at most {MOST_MISSED:.0%}; here are {result.defects}")


def _print_agreement(result: Agreement) -> None:
    from tasks.study.agreement import CONFIDENCE

    print(f"{result.parts} parts, {result.defects} defective; intervals of {CONFIDENCE:.0%}, each part counts once")
    for appraisal in result.appraisals:
        word = "acceptable" if appraisal.accepted else "not shown to be acceptable"
        print(f"{one_line(appraisal.name)}, {appraisal.trials} trial{'s' if appraisal.trials > 1 else ''}: {word}")
        rates = [(title, getattr(appraisal, name)) for name, title in TITLES.items()]
        rows = [(title, *_cells(rate), _limit(rate)) for title, rate in rates if rate is not None]
        print_table([*rows, ("kappa against the reference", *_kappa(appraisal.kappa), "", "")])
    if result.pairs:
        print("together")
        kappas = [(pair, _kappa(pair.kappa)) for pair in result.pairs]
        rows = [(f"kappa of {one_line(pair.first)} and {one_line(pair.second)}", *cells, "") for pair, cells in kappas]
        print_table([("parts on which all always agree", *_cells(result.together)), *rows])


def _cells(rate: Rate) -> tuple[str, str, str]:
    low, high = rate.interval
    return f"{100 * rate.value:.1f} %", f"[{100 * low:.1f} %, {100 * high:.1f} %]", f"{rate.count} of {rate.of}"


def _kappa(kappa: Kappa) -> tuple[str, str]:
    value = "none" if kappa.value is None else f"{kappa.value:.2f}"
    return value, "" if kappa.interval is None else "[{:.2f}, {:.2f}]".format(*kappa.interval)


def _limit(rate: Rate) -> str:
    """Whether the limit is shown to be kept or broken, and how many parts would show it."""
    if rate.limit is None:
        return ""
    side = "at least" if rate.at_least else "at most"
    limit = f"{side} {rate.limit:.0%}"
    if rate.shown:
        return f"{limit}: shown"
    more = f" ({rate.needed} parts without an error show it)" if rate.parts < rate.needed else ""
    return f"{limit}: broken" if rate.broken else f"{limit}: not shown{more}"
