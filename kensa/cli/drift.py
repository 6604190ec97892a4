"""`kensa drift`: do new parts still look like those that the release was made with?"""

from __future__ import annotations

from pathlib import Path

from typer import Option

from kensa.cli.command import with_examples
from kensa.cli.options import ARTIFACTS, AS_JSON, CONFIG, DASK, LANGUAGE, PART, RELEASE, SOURCES, VERIFY_KEY
from kensa.cli.terminal import print_result, print_table, print_unread
from tasks.config.run import DATA_FOLDER, Language
from tasks.core.inspection import ChartSummary, DaySummary, DriftResult

MAX_CHARTS = 3  # that are printed; the page has all


@with_examples("kensa drift ./this-week", "kensa drift acme/boards --release v3 --report boards.html")
def drift(
    source: list[str] = SOURCES,
    release: str | None = RELEASE,
    report: Path = Option("drift.html", metavar="FILE", help="Page with the control charts."),
    config: str | None = CONFIG,
    part: str | None = PART,
    dask: str | None = DASK,
    language: Language | None = LANGUAGE,
    verify_key: Path | None = VERIFY_KEY,
    artifacts: Path = ARTIFACTS,
    as_json: bool = AS_JSON,
) -> None:
    """Compare new parts with those that a release was made with.

    Control charts and tests look at level, shape, score, verdicts and single cells. The exit code is 0 whether the
    parts drifted or not.
    """
    from tasks.core.progress import Heartbeat
    from tasks.download import download, resolve
    from tasks.registry.champion import select_release
    from tasks.sources.address import join_sources

    with Heartbeat("drift"):
        parts = download(resolve(join_sources(source), None, Path(DATA_FOLDER)))
        select_release(artifacts, release)  # before the libraries, which take seconds
        from tasks.drift import drift as compare

        words = {"language": language, "config": config, "part": part, "dask": dask}
        result = compare(parts, artifacts, report, version=release, **words)
    print_result(result, as_json, _print_result)


def _print_result(result: DriftResult) -> None:
    print(f"{result.status}: {result.records:,} records against {result.release}  ({result.page})")
    print_unread(result.unread)
    if result.left_out:
        print(f"  left out: {result.left_out:,} records that {result.release} was made with")
    if result.counted:
        print(f"  left out: {result.counted:,} records that earlier days counted")
    if result.day > 1:
        print(f"  day {result.day:,} of this source: its earlier days judge")
    for day in result.remarkable_days[:MAX_CHARTS]:
        print(f"  {_name(day)}: {_change(day)}")
    rows = [_row(chart) for chart in result.charts[:MAX_CHARTS]]
    if result.cells is not None:
        rows.append((f"{result.cells.drifted:,} cells moved", "", f"p {result.cells.p:.2g}", ""))
    if rows:
        print_table(rows)


def _name(series: ChartSummary | DaySummary) -> str:
    return series.title if series.mode is None else f"{series.title} of mode {series.mode}"


def _change(day: DaySummary) -> str:
    """Why a series is not steady, in standard deviations of single records."""
    if day.reason == "lasting":
        return f"a lasting change of {day.lasting:+.2f} SD in the last {day.lasting_days:,} days"
    if day.reason == "level":
        return f"the usual level is {day.usual:+.2f} SD from the reference"
    return f"this day is {day.shift - day.usual:+.2f} SD from its usual level"


def _row(chart: ChartSummary) -> tuple[str, ...]:
    title = _name(chart)
    since = "" if chart.since is None else f"since part {chart.since:,}"
    return title, f"{chart.then:.4g} → {chart.now:.4g}", f"p {chart.p:.2g}", since
