"""The step `drift`: compares new parts with the release's reference, and writes a page and a summary."""

from __future__ import annotations

from pathlib import Path

from tasks.config.run import DATA_FOLDER, EvaluateConfig
from tasks.core.errors import NothingToCompare
from tasks.core.files import ensure_writable
from tasks.core.inspection import DriftResult
from tasks.core.progress import note_line
from tasks.core.results import DownloadedSource
from tasks.core.stages import scratch_folder
from tasks.data.bank_variants import subsample
from tasks.model.embeddings import EmbeddedBank
from tasks.monitoring.day_history import load_history, save_history
from tasks.monitoring.drift_tests import MIN_MAPS, compare_with_reference
from tasks.monitoring.reference import NewParts, NewPartsCollector, Reference, build_reference
from tasks.registry.loading import LoadedRelease, load_release
from tasks.registry.observations import keep_observation
from tasks.registry.record_bank import load_record_bank
from tasks.scoring.judging import open_parts, score_batches


def drift(
    source: DownloadedSource,
    artifacts: Path,
    page: Path,
    *,
    version: str | None = None,
    language: str | None = None,
    config: str | None = None,
    part: str | None = None,
    dask: str | None = None,
) -> DriftResult:
    """Compare a source's records, in their order, with a release's reference, and write the HTML file `page`.

    Records that the release was made with are left out. The days of a source are remembered in the artifacts: from the
    second day on its own earlier days judge, and records that they have counted are left out, too.

    version: a release such as v3, by default the champion; language: of the page, by default the release's own;
    config, part: of the source, where it has several; dask: workers that judge the records
    (tasks/workers/cluster.py).
    Raises what loading a release and reading a source do, MissingStage for a release of an earlier version whose record
    bank is gone, and NothingToCompare for fewer than MIN_MAPS new records.
    """
    release = load_release(artifacts, version)
    reference = _reference(release)
    pinned = source.resolved
    history = load_history(artifacts, release, pinned.source, pinned.revision, config, part)
    collector = NewPartsCollector(release, history.seen.tolist())
    parts = open_parts(source, release, config, part)
    for batch in score_batches(parts, release, dask):
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
    from tasks.pages.drift import render_drift  # matplotlib

    with scratch_folder(ensure_writable(page.parent), "drift") as draft:
        html = render_drift(release, verdict, result, language or release.language)
        (draft / "page.html").write_text(html, encoding="utf-8")
        (draft / "page.html").replace(page)
    save_history(history, verdict.history, collector.keys)
    facts = {"status": result.status, "records": result.records, "day": result.day}
    keep_observation(artifacts, release.release, "drift", result.source, result.revision, facts)
    return result


def _reference(release: LoadedRelease) -> Reference:
    """The release's reference; one that an earlier version made has none, and gets it from its record bank."""
    stored = Reference.load_if_stored(release.path)
    if stored is not None:
        return stored
    data = Path(release.manifest.config.get("data_folder", DATA_FOLDER))
    bank = load_record_bank(release.release, data, "a drift reference, which its version did not write")
    note_line(f"{release.version}: its version wrote no drift reference; it is made of its record bank")
    bank = subsample(bank, EvaluateConfig().most_records)
    return build_reference(release, EmbeddedBank(release.classifier.encoder, bank))


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
