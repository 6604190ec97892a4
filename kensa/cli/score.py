"""`kensa score`: verdicts on new parts."""

from __future__ import annotations

from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import A_RELEASE, ARTIFACTS, AS_JSON, CONFIG, DASK, LANGUAGE, PART, RELEASE, SOURCES, VERIFY_KEY
from kensa.cli.terminal import print_result, print_table, print_unread
from tasks.config.run import Language
from tasks.core.inspection import LabelledResult, ScoreResult
from tasks.core.json_form import Json
from tasks.core.text import one_line
from tasks.sources.address import join_sources

PAIRS = {"false_alarms": "false alarms", "escapes": "escapes"}


@with_examples(
    "kensa score ./new-parts --report verdicts.html",
    "kensa score monday.csv tuesday.csv --id serial",
    "kensa score acme/boards --release v3 --against v2 --out boards.parquet",
    "kensa score ./new-parts --shadow",
)
def score(
    source: list[str] = SOURCES,
    release: str | None = RELEASE,
    out: Path = Option(
        "verdicts.parquet", metavar="FILE", help="Table of the verdicts: Parquet, or CSV where the name ends in .csv."
    ),
    report: Path | None = Option(
        None, metavar="FILE", help="Also write a page that explains them, such as verdicts.html."
    ),
    against: str | None = Option(
        None, help="Also list the records whose verdict is another than that of this release.", **A_RELEASE
    ),
    config: str | None = CONFIG,
    part: str | None = PART,
    good: str | None = Option(
        None, metavar="LABEL", help="Label of a good part in the source.", show_default="the release's own"
    ),
    id: str | None = Option(
        None,
        metavar="COLUMN",
        help="Column that names a part, such as serial; several with commas between.",
        show_default="the release's own, else file and row",
    ),
    shadow: bool = Option(False, "--shadow", help="Let the candidate or challenger judge beside the champion."),
    dask: str | None = DASK,
    language: Language | None = LANGUAGE,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Give a verdict on each part of a source.

    A part is good, a defect of a mode, or unknown. Where the source has labels, the output says how well the verdicts
    agree with them.
    """
    from kensa.runs import score as write_verdicts

    result = write_verdicts(
        join_sources(source),
        release=release,
        out=out,
        report=report,
        against=against,
        config=config,
        part=part,
        good=good,
        id=id,
        language=language,
        shadow=shadow,
        dask=dask,
        artifacts=artifacts,
    )
    print_result(result, as_json, _print_result)


def _print_result(result: ScoreResult) -> None:
    counts = ", ".join(f"{count:,} {name}" for name, count in result.counts.items())
    print(f"{result.path}: {counts}, by {result.release}")
    print_unread(result.unread)
    if result.flips:
        changes = ", ".join(f"{pair.count:,} {pair.before} → {pair.after}" for pair in result.flips.pairs)
        print(f"  {result.flips.flipped:,} changed from {result.flips.against}: {changes or 'none'}")
    if result.page:
        print(f"  why: {result.page}")
    if result.figures:
        _print_agreement(result.figures, result.release)
    if shadow := result.shadow:
        agreed = "{count:,} of {of:,} verdicts agree so far, {rate:.3f}".format(**shadow["agreed"])
        interval = _interval(shadow["agreed"]["interval"])
        print(f"  {shadow['challenger']} beside {shadow['champion']}: {agreed} {interval}")
        if rows := [_pair(name, shadow[key]) for key, name in PAIRS.items() if shadow[key]]:
            print_table(rows)


def _pair(name: str, errors: Json) -> tuple[str, ...]:
    """Both models' errors on the same labelled records."""
    rates = (f"{errors[side]['rate']:.3f} {_interval(errors[side]['interval'])}" for side in ("champion", "challenger"))
    return name, *rates, f"{errors['difference']:+.3f} {_interval(errors['interval'])}"


def _print_agreement(labelled: LabelledResult, release: str) -> None:
    """How well the verdicts agree with the labels."""
    if labelled.seen:
        print(f"  metrics exclude {labelled.seen:,} training, validation and calibration records")
    proportions = {
        ("false alarms", "good parts"): labelled.false_alarms,
        ("escapes", "defects"): labelled.escapes,
        ("mode accuracy", "known modes"): labelled.mode_accuracy,
    }
    rows = [
        (name, f"{rate.rate:.3f}", _interval(rate.interval), f"{rate.count:,} of {rate.of:,} {of}")
        for (name, of), rate in proportions.items()
        if rate is not None
    ]
    if labelled.good_auroc is not None:
        rows.append(("good auroc", f"{labelled.good_auroc:.3f}", _interval(labelled.good_auroc_interval), ""))
    if rows:
        print_table(rows)
    if labelled.lacks_good:
        labels = ", ".join(f"{one_line(label)} {count:,}" for label, count in labelled.labels.items())
        good = one_line(labelled.good_label)
        print(f"  no record has the label {good}, which stands for good: all labelled ones count as defects")
        print(f"  labels here: {labels}; say which is good with --good")
    if strange_modes := labelled.strange_modes:
        print(f"  {sum(strange_modes.values()):,} records of modes that {release} does not know")


def _interval(bounds: tuple[float, float]) -> str:
    return "[{:.3f}, {:.3f}]".format(*bounds)
