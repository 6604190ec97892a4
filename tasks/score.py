"""The step `score`: a verdict on each new part by a release, batch by batch, so that memory does not grow."""

from __future__ import annotations

import codecs
import contextlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import CSVWriter

from tasks.core.errors import KensaError, UnfitRelease
from tasks.core.files import ensure_writable
from tasks.core.inspection import LabelledResult, ScoreRequest, ScoreResult
from tasks.core.json_form import Json
from tasks.core.progress import note_line
from tasks.core.results import DownloadedSource
from tasks.core.stages import scratch_folder
from tasks.data.readers import TableSource
from tasks.promotion.shadow import ShadowCollector, find_challenger, merge, shadow_entry, shadow_path, summarize
from tasks.registry.champion import registry_lock
from tasks.registry.journal_events import record
from tasks.registry.loading import LoadedRelease, load_release, load_verified_release
from tasks.registry.observations import keep_observation
from tasks.registry.releases import verify_release
from tasks.review.decisions import decisions_of, standing
from tasks.scoring.accuracy import LabelledMetrics
from tasks.scoring.batch import ScoredRecord
from tasks.scoring.examples import ExampleCollector
from tasks.scoring.flips import FLIPS_SCHEMA, FlipCollector, Flips
from tasks.scoring.judging import open_parts, score_batches
from tasks.scoring.table import VERDICTS_SCHEMA, RowGroups, VerdictWriter, Write, file_metadata
from tasks.scoring.traces import keep_trace


def score(source: DownloadedSource, artifacts: Path, request: ScoreRequest) -> ScoreResult:
    """Write the verdict on every record of a source to `request.out`: a Parquet file, or CSV where it ends in `.csv`.

    Columns: row, mode (nearest), distance to it, score (the release's own, larger is more anomalous), verdict (good,
    defect, or unknown: farther from every mode than the same-mode threshold), margin (threshold minus score), beta
    and sqrt_ve against the nearest mode's anchor; part, its name (`data.id` of the release, else file and row);
    record, the hash of its map; release, digest (the first 16 digits of that of its manifest) and time (UTC). The
    table is kept below `artifacts`, too, for `kensa trace`. The file's metadata name release, source, revision and
    files of the source that were not read. Where records have labels, the result says how well the verdicts agree
    with them.
    Raises what loading a release does, UnreadableSource where the maps do not fit, and UnfitRelease where the
    two releases have maps of different sizes. After an error nothing is written. CSV has no metadata, and begins with a
    byte order mark, by which spreadsheets know that it is UTF-8.
    """
    release = load_release(artifacts, request.version)
    if request.good is not None:
        release = replace(release, data=replace(release.data, good=request.good))
    if request.id is not None:
        release = replace(release, data=replace(release.data, id=request.id))
    against = None if request.against is None else _load_against(artifacts, request.against, release)
    challenger = _load_challenger(artifacts, release) if request.shadow and request.version is None else None
    parts = open_parts(source, release, request.config, request.part)
    with scratch_folder(ensure_writable(request.out.parent), "verdicts") as draft:
        metadata = file_metadata(source.resolved, release, against, parts.unread)
        as_csv = request.out.suffix.lower() == ".csv"
        collected = _collect(parts, metadata, release, (against, challenger), draft, as_csv, request.dask)
        result = replace(_to_result(source, release, request, collected), unread=parts.unread)
        if request.page is not None:
            _write_page(release, against, request, collected, result, draft / "page.html")
        if against is not None:
            (draft / "flips.parquet").replace(request.flips_path)
        kept = draft / ("trace.parquet" if request.out.suffix.lower() == ".csv" else "verdicts.parquet")
        key = (source.resolved.source, source.resolved.identity, request.config, request.part, request.id)
        keep_trace(artifacts, kept, key, release)
        (draft / "verdicts.parquet").replace(request.out)
    _keep_error_rates(artifacts, release, result)
    return replace(result, shadow=challenger and _keep_shadow(artifacts, (release, challenger), collected, source))


def _load_challenger(artifacts: Path, release: LoadedRelease) -> LoadedRelease | None:
    """The model that judges beside the champion; what is wrong with it is told, and stops no verdict."""
    try:
        challenger = find_challenger(artifacts, release.release)
        if challenger is None:
            note_line(
                f"no model judges beside {release.version}: there is no candidate or challenger for the same maps"
            )
            return None
        return load_verified_release(verify_release(challenger))
    except KensaError as error:
        note_line(f"no model judges beside {release.version}: {error}")
        return None


def _keep_shadow(
    artifacts: Path, sides: tuple[LoadedRelease, LoadedRelease], collected: Collected, source: DownloadedSource
) -> Json | None:
    """Add what both judged to what they judged before, with the labels that people decided, and tell the journal."""
    champion, challenger = (side.release for side in sides)
    try:
        labels = {key: decision.label for key, decision in standing(decisions_of(artifacts)).items() if decision.label}
        good = sides[0].data.good
        decided = {key: "good" if label == good else "defect" for key, label in labels.items()}
        with registry_lock(artifacts):
            table = merge(shadow_path(artifacts, champion, challenger), collected.shadow, decided)
            summary = summarize(table, *sides)
            record(artifacts, shadow_entry(summary, champion, challenger, source.resolved))
        return summary.as_json()
    except KensaError as error:  # a release may be read-only for those who score with it
        note_line(f"what {challenger.version} judged beside {champion.version} is not kept: {error}")
        return None


def _keep_error_rates(artifacts: Path, release: LoadedRelease, result: ScoreResult) -> None:
    """For `kensa history`, where the source has labels of which one stands for good."""
    figures = result.figures
    if figures is None or figures.lacks_good or not (figures.false_alarms or figures.escapes):
        return
    rates = {name: getattr(figures, name) for name in ("false_alarms", "escapes")}
    facts = {name: rate and asdict(rate) for name, rate in rates.items()}
    keep_observation(artifacts, release.release, "labels", result.source, result.revision, facts)


@dataclass(frozen=True)
class Collected:
    """What the collectors have seen of a source: counts of verdicts, agreement with labels, examples, flips."""

    counts: dict[str, int]
    labelled: LabelledResult | None
    examples: dict[str, list[ScoredRecord]]
    flips: Flips | None
    shadow: pa.Table | None


def _load_against(artifacts: Path, version: str, release: LoadedRelease) -> LoadedRelease:
    against = load_release(artifacts, version)
    if against.anchors.shape[1] != release.anchors.shape[1]:
        size, expected = (f"{side.data.rows}×{side.data.cols}" for side in (against, release))
        raise UnfitRelease(f"{version}: expected a release for {expected} maps to compare with, found one for {size}")
    return against


def _collect(
    parts: TableSource,
    metadata: dict[str, str],
    release: LoadedRelease,
    others: tuple[LoadedRelease | None, LoadedRelease | None],
    draft: Path,
    as_csv: bool,
    dask: str | None,
) -> Collected:
    """Score all batches of the source into the draft's tables; as_csv: the verdicts, whatever the file's name says.

    others: the release to compare with, and the one that judges beside this one.
    """
    against, challenger = others
    with contextlib.ExitStack() as files:

        def table(name: str, schema: pa.Schema) -> Write:
            writer = pq.ParquetWriter(draft / name, schema.with_metadata(metadata))
            groups = RowGroups(files.enter_context(writer))
            files.callback(groups.flush)
            return groups.write

        def csv_table(name: str, schema: pa.Schema) -> Write:
            file = files.enter_context((draft / name).open("wb"))
            file.write(codecs.BOM_UTF8)
            return files.enter_context(CSVWriter(file, schema)).write_batch

        writes = [(csv_table if as_csv else table)("verdicts.parquet", VERDICTS_SCHEMA)]
        writes += [table("trace.parquet", VERDICTS_SCHEMA)] if as_csv else []
        verdicts = VerdictWriter(release, *writes)
        labelled, examples = LabelledMetrics(release), ExampleCollector(release)
        flips = against and FlipCollector(release, against, table("flips.parquet", FLIPS_SCHEMA))
        shadow = challenger and ShadowCollector(release, challenger)
        collectors = [verdicts, labelled, examples, *filter(None, (flips, shadow))]
        others = {side.version: side for side in filter(None, others)}.values()
        for batch in score_batches(parts, release, dask, others=tuple(others), whole=False):
            for collector in collectors:
                collector.update(batch)
    return Collected(
        counts=verdicts.result(),
        labelled=labelled.result(),
        examples=examples.result(),
        flips=flips and flips.result(),
        shadow=shadow and shadow.result(),
    )


def _to_result(
    source: DownloadedSource, release: LoadedRelease, request: ScoreRequest, collected: Collected
) -> ScoreResult:
    flips = collected.flips and replace(collected.flips.summary, path=str(request.flips_path))
    return ScoreResult(
        source=source.resolved.source,
        revision=source.resolved.revision,
        release=release.version,
        path=str(request.out),
        counts=collected.counts,
        figures=collected.labelled,
        flips=flips,
        page=None if request.page is None else str(request.page),
    )


def _write_page(
    release: LoadedRelease,
    against: LoadedRelease | None,
    request: ScoreRequest,
    collected: Collected,
    result: ScoreResult,
    draft: Path,
) -> None:
    from tasks.pages.verdicts import Comparison, render_verdicts  # matplotlib, which verdicts do not need

    comparison = against and Comparison(against, collected.flips.examples)
    html = render_verdicts(release, result, collected.examples, comparison, request.language or release.language)
    draft.write_text(html, encoding="utf-8")
    ensure_writable(request.page.parent)
    draft.replace(request.page)
