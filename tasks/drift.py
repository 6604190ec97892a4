"""The step `drift`: compares new parts with the release's reference, and writes a page and a summary."""

from __future__ import annotations

from pathlib import Path

from tasks.core.errors import NothingToCompare
from tasks.core.files import ensure_writable
from tasks.core.inspection import DriftResult
from tasks.core.progress import note_line
from tasks.core.results import DownloadedSource
from tasks.core.stages import scratch_folder
from tasks.monitoring.day_history import load_history, save_history
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

    Records that the release was made with are left out. The days of a source are remembered in the artifacts: from the
    second day on its own earlier days judge, and records that they have counted are left out, too.

    version: a release such as v3, by default the champion; language: of the page, by default the release's own;
    config, part: of the source, where it has several.
    Raises what loading a release and reading a source do, and NothingToCompare for a release without a
    reference, or for fewer than MIN_MAPS new records.
    """
    release = load_release(artifacts, version)
    reference = _reference(release)
    pinned = source.resolved
    history = load_history(artifacts, release, pinned.source, pinned.revision, config, part)
    collector = NewPartsCollector(release, history.seen.tolist())
    parts = open_parts(source, release, config, part)
    for batch in score_batches(parts, release):
        collector.update(batch)
    new = collector.result()
    _require_enough(pinned.source, new, collector, reference)
    if (reference.lot != "").any() and set(collector.lots) == {""}:
        column = release.data.group
        note_line(
            f"{pinned.source}: no lots in a column {column}, as {release.version} has; all new parts count as one lot"
        )
    size = release.data.rows, release.data.cols
    verdict = compare_with_reference(reference, new, release.classifier.modes, size, history.series)
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
        counted=collector.counted,
        day=max((day.day for day in verdict.days), default=1),
        days=verdict.days,
    )
    from tasks.report.drift_page import render_drift  # matplotlib

    with scratch_folder(ensure_writable(page.parent), "drift") as draft:
        html = render_drift(release, verdict, result, language or release.language)
        (draft / "page.html").write_text(html, encoding="utf-8")
        (draft / "page.html").replace(page)
    save_history(history, verdict.history, collector.keys)
    return result


def _reference(release: LoadedRelease) -> Reference:
    reference = Reference.load_if_stored(release.path)
    if reference is None:
        raise NothingToCompare(
            f"{release.version}: expected a drift reference, found none: this release predates drift "
            "references; retrain, or use another --release"
        )
    return reference


def _require_enough(source: str, new: NewParts, collector: NewPartsCollector, reference: Reference) -> None:
    if len(new) >= MIN_MAPS and len(reference) >= MIN_MAPS:
        return
    left_out = [f"{collector.left_out} that the release was made with"] if collector.left_out else []
    left_out += [f"{collector.counted} that an earlier day counted"] if collector.counted else []
    without = f", without {' and '.join(left_out)}" if left_out else ""
    raise NothingToCompare(
        f"{source}: expected at least {MIN_MAPS} records and {MIN_MAPS} in the reference, found {len(new)}{without}, "
        f"and {len(reference)}; collect more parts first"
    )
