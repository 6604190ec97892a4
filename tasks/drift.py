"""The step `drift`: compares new parts with the release's reference, and writes a page and a summary."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import NothingToCompare
from tasks.core.files import ensure_writable
from tasks.core.inspection import DriftResult
from tasks.core.progress import note_line
from tasks.core.results import DownloadedSource
from tasks.core.stages import scratch_folder
from tasks.monitoring.control_charts import MIN_POINTS, SUBGROUP_SIZE
from tasks.monitoring.drift_tests import MIN_MAPS, compare_with_reference
from tasks.monitoring.reference import NewParts, NewPartsCollector, Reference
from tasks.registry.loading import LoadedRelease, load_release
from tasks.scoring.batch import open_parts, score_batches


def drift(
    source: DownloadedSource,
    artifacts: Path,
    page: Path,
    *,
    version: str | None = None,
    language: str | None = None,
    config: str | None = None,
    part: str | None = None,
) -> DriftResult:
    """Compare a source's records, in their order, with a release's reference, and write the HTML file `page`.

    Records that the release was made with are left out.

    version: a release such as v3, by default the champion; language: of the page, by default the release's own;
    config, part: of the source, where it has several.
    Raises what loading a release and reading a source do, and NothingToCompare for a release without a
    reference, or for fewer records than two points of a chart.
    """
    release = load_release(artifacts, version)
    reference = _reference(release)
    collector = NewPartsCollector(release)
    parts = open_parts(source, release, config, part)
    for batch in score_batches(parts, release):
        collector.update(batch)
    new, pinned = collector.result(), source.resolved
    _require_enough(pinned.source, new, collector.left_out, reference)
    if (reference.lot != "").any() and set(collector.lots) == {""}:
        column = release.data.group
        note_line(
            f"{pinned.source}: no lots in a column {column}, as {release.version} has; all new parts count as one lot"
        )
    verdict = compare_with_reference(reference, new, release.classifier.modes, (release.data.rows, release.data.cols))
    result = DriftResult(
        source=pinned.source,
        revision=pinned.revision,
        release=release.version,
        status=verdict.status,
        records=len(new),
        charts=verdict.chart_summaries,
        cells=verdict.cells_summary,
        mix=verdict.mix,
        page=str(page),
        unread=parts.unread,
        left_out=collector.left_out,
    )
    from tasks.report.drift_page import render_drift  # matplotlib

    with scratch_folder(ensure_writable(page.parent), "drift") as draft:
        html = render_drift(release, verdict, result, language or release.language)
        (draft / "page.html").write_text(html, encoding="utf-8")
        (draft / "page.html").replace(page)
    return result


def _reference(release: LoadedRelease) -> Reference:
    reference = Reference.load_if_stored(release.path)
    if reference is None:
        raise NothingToCompare(
            f"{release.version}: expected a drift reference, found none: this release predates drift "
            "references; retrain, or use another --release"
        )
    return reference


def _require_enough(source: str, new: NewParts, left_out: int, reference: Reference) -> None:
    records = MIN_POINTS * SUBGROUP_SIZE
    if len(new) < records or len(reference) < MIN_MAPS:
        without = f", without {left_out} that the release was made with" if left_out else ""
        raise NothingToCompare(
            f"{source}: expected at least {records} records, two points of a chart, and {MIN_MAPS} in the reference, "
            f"found {len(new)}{without}, and {len(reference)}; collect more parts first"
        )
