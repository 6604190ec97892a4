"""The step `drift`: new parts against the release's reference, as a page for people and a summary."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.run import RunConfig
from tasks.core.errors import NothingToCompare
from tasks.core.files import ensure_writable
from tasks.core.results import DownloadedSource, DriftResult
from tasks.core.stages import scratch_folder
from tasks.data.map_statistics import RunningMoments
from tasks.monitoring.control_charts import LEAST_POINTS, SIZE, ControlChart
from tasks.monitoring.drift_tests import MIN_MAPS, DriftVerdict, test_for_drift
from tasks.monitoring.reference import Reference, read_reference
from tasks.registry.loading import LoadedRelease, load_release
from tasks.scoring.stream import score_batches
from tasks.scoring.verdicts import VERDICTS

CODES = {name: code for code, name in enumerate(VERDICTS)}
NUMBERS = ("beta", "sqrt_ve", "score")


def drift(
    downloaded: DownloadedSource, config: RunConfig, version: str | None, page: str, language: str | None = None
) -> DriftResult:
    """Compare a source's records, in their order, with the release's reference, and write the page.

    Raises what opening a release and reading a source do, and NothingToCompare for a release without a
    reference, or fewer records than two points of a chart.
    """
    opened = load_release(config.artifacts_path, version)
    reference = read_reference(opened.release.path)
    if reference is None:
        raise NothingToCompare(
            f"{opened.release.version}: expected a release with a reference for drift, found one from before there was "
            "any; retrain, or use another --release"
        )
    new, maps = _collect(downloaded, opened)
    _require_enough(downloaded.resolved.source, new, reference)
    found = test_for_drift(reference, new, maps, opened.judge.modes, (opened.data.rows, opened.data.cols))
    told = _to_result(downloaded, opened, found, len(new["mode"]), page)
    _write(Path(page), opened, found, told, language)
    return told


def _collect(downloaded: DownloadedSource, opened: LoadedRelease) -> tuple[dict[str, np.ndarray], RunningMoments]:
    """What is kept of each record, some twenty bytes, and the moments of the maps that were called good."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("mode", *NUMBERS, "good", "lot", "verdict")}
    lots: dict[str, int] = {}
    maps = RunningMoments(opened.anchors.shape[1])
    for _, part, found in score_batches(downloaded, opened):
        good = found.verdict == "good"
        maps.take(part.maps[good])
        kept["mode"].append(found.mode.astype(np.int32))
        for name in NUMBERS:
            kept[name].append(getattr(found, name).astype(np.float32))
        kept["good"].append(good)
        kept["lot"].append(np.array([lots.setdefault(name or "", len(lots)) for name in part.group], np.int32))
        kept["verdict"].append(np.array([CODES[verdict] for verdict in found.verdict.tolist()], np.int8))
    return {name: np.concatenate(values) for name, values in kept.items()}, maps


def _require_enough(source: str, new: dict[str, np.ndarray], reference: Reference) -> None:
    least = LEAST_POINTS * SIZE
    if len(new["mode"]) < least or len(reference.mode) < MIN_MAPS:
        raise NothingToCompare(
            f"{source}: expected at least {least} records, two points of a chart, and {MIN_MAPS} of the reference, "
            f"found {len(new['mode'])} and {len(reference.mode)}; gather more parts before you ask"
        )


def _to_result(
    downloaded: DownloadedSource, opened: LoadedRelease, found: DriftVerdict, records: int, page: str
) -> DriftResult:
    resolved, cells = downloaded.resolved, found.cells
    charts = [_chart(chart, p) for chart, p in found.charts]
    told = None if cells is None else {"drifted": cells.drifted, "p": found.cells_p, "rises": cells.rises}
    if told is not None:
        told["place"] = None if cells.place is None else asdict(cells.place)
    names = resolved.source, resolved.revision, opened.release.version
    return DriftResult(*names, found.standing, records, charts, told, found.mix, page)


def _chart(chart: ControlChart, p: float) -> dict[str, Any]:
    """The chart as plain values, without its points."""
    return {
        "title": chart.title,
        "mode": chart.mode,
        "then": chart.spread.mean,
        "now": chart.spread.mean + chart.shift,
        "effect": chart.effect,
        "p": p,
        "points": len(chart.means),
        "beyond": chart.beyond,
        "since": chart.since,
        "lots": chart.spread.lots,
    }


def _write(page: Path, opened: LoadedRelease, found: DriftVerdict, told: DriftResult, language: str | None) -> None:
    from tasks.report.drift_page import render_drift  # matplotlib

    ensure_writable(page.parent)
    own = opened.release.manifest["config"].get("report", {}).get("language", "en")
    with scratch_folder(page.parent, "drift") as draft:
        (draft / "page.html").write_text(render_drift(opened, found, told, language or own), encoding="utf-8")
        (draft / "page.html").replace(page)
