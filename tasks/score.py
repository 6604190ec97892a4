"""Judges new parts with a release: one row a record, batch by batch, so that memory does not grow."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tasks.config.run import RunConfig
from tasks.core.errors import UnfitRelease
from tasks.core.files import ensure_writable
from tasks.core.results import DownloadedSource, ScoreResult
from tasks.core.stages import scratch_folder
from tasks.registry.loading import LoadedRelease, load_release
from tasks.scoring import flips
from tasks.scoring.accuracy import LabelledMetrics
from tasks.scoring.examples import ExampleCollector
from tasks.scoring.flips import FlipCollector
from tasks.scoring.stream import score_batches
from tasks.scoring.table import SCHEMA, file_metadata, to_record_batch
from tasks.scoring.verdicts import VERDICTS, predict


def score(
    downloaded: DownloadedSource,
    config: RunConfig,
    version: str | None,
    out: str,
    page: str | None = None,
    against: str | None = None,
    language: str | None = None,
) -> ScoreResult:
    """Write the verdict on every record of a source to the Parquet file `out`.

    Columns: row, mode (nearest), distance to it, score (the release's own, larger = more anomalous),
    verdict (good, defect, or unknown = farther from every mode than the same-mode threshold), margin
    (threshold minus score), beta and sqrt_ve against the nearest mode's anchor. The file's metadata name
    release, source and revision. `version` is a release, by default the champion. Where records have labels,
    the returned figures say what the verdicts are worth. `page` is an HTML file that says why, in `language`
    (the release's own by default); `against` another release, and `out` gets a twin `….flips.parquet` of the
    records on which the two differ.
    Raises what opening a release does, UnreadableSource where the maps do not fit, and UnfitRelease where the
    two releases take other maps.
    """
    opened = load_release(config.artifacts_path, version)
    other = None if against is None else _load_other(config, against, opened)
    target, twin = Path(out), Path(out).with_suffix(".flips.parquet")
    folder = ensure_writable(target.parent)
    with scratch_folder(folder, "verdicts") as draft:
        shown, changed = ExampleCollector(opened), other and FlipCollector(opened, other)
        scored = _write(downloaded, opened, draft, shown, changed)
        told = changed and {**changed.as_json(), "path": str(twin)}
        scored = replace(scored, path=str(target), page=page, flips=told)
        if page:
            from tasks.report.verdict_page import render_verdicts  # matplotlib, which verdicts alone do without

            text = render_verdicts(opened, shown, changed, scored.as_json(), language or _language(opened))
            (draft / "page.html").write_text(text, encoding="utf-8")
            ensure_writable(Path(page).parent)
            (draft / "page.html").replace(page)
        if changed:
            (draft / "flips.parquet").replace(twin)
        (draft / "verdicts.parquet").replace(target)
    return scored


def _load_other(config: RunConfig, against: str, opened: LoadedRelease) -> LoadedRelease:
    other = load_release(config.artifacts_path, against)
    if other.anchors.shape[1] != opened.anchors.shape[1]:
        size, wanted = (f"{one.data.rows}×{one.data.cols}" for one in (other, opened))
        raise UnfitRelease(f"{against}: expected a release for {wanted} maps to compare with, found one for {size}")
    return other


def _language(opened: LoadedRelease) -> str:
    return opened.release.manifest["config"].get("report", {}).get("language", "en")


def _write(
    downloaded: DownloadedSource,
    opened: LoadedRelease,
    draft: Path,
    shown: ExampleCollector,
    changed: FlipCollector | None,
) -> ScoreResult:
    """Judge all records into the files of the draft, and collect what is to be told of them."""
    counts, labelled = dict.fromkeys(VERDICTS, 0), LabelledMetrics(opened)
    with contextlib.ExitStack() as files:
        metadata = file_metadata(downloaded, opened, changed and changed.against)
        verdicts = files.enter_context(pq.ParquetWriter(draft / "verdicts.parquet", SCHEMA.with_metadata(metadata)))
        if changed:
            schema = flips.SCHEMA.with_metadata(metadata)
            twin = files.enter_context(pq.ParquetWriter(draft / "flips.parquet", schema))
        for start, part, found in score_batches(downloaded, opened):
            verdicts.write_batch(to_record_batch(found, opened, start))
            labelled.take(found, part)
            shown.take(start, part.maps, found, part.label, part.mode, part.group)
            if changed:
                theirs, texts = predict(changed.against, part.maps), (part.label, part.mode, part.group)
                twin.write_batch(changed.take(start, part.maps, found, theirs, texts))
            for verdict, count in zip(*np.unique(found.verdict, return_counts=True), strict=True):
                counts[str(verdict)] += int(count)
    resolved = downloaded.resolved
    return ScoreResult(resolved.source, resolved.revision, opened.release.version, "", counts, labelled.figures())
