"""The step `drift`: new parts against the release's reference, as a page for people and a summary."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tasks.config.run import Retrain
from tasks.core.errors import NothingToCompare
from tasks.core.files import usable
from tasks.core.results import Downloaded, Drifted
from tasks.core.stages import drafting
from tasks.data.map_statistics import Moments
from tasks.monitoring.control_charts import LEAST_POINTS, SIZE, Chart
from tasks.monitoring.drift_tests import LEAST_MAPS, Drift, drift_of
from tasks.monitoring.reference import Reference, read_reference
from tasks.registry.loading import Released, opened_release
from tasks.scoring.stream import judged
from tasks.scoring.verdicts import VERDICTS

CODES = {name: code for code, name in enumerate(VERDICTS)}
NUMBERS = ("beta", "sqrt_ve", "score")


def drift(
    downloaded: Downloaded, config: Retrain, version: str | None, page: str, language: str | None = None
) -> Drifted:
    """Compare a source's records, in their order, with the release's reference, and write the page.

    Raises what opening a release and reading a source do, and NothingToCompare for a release without a
    reference, or fewer records than two points of a chart.
    """
    opened = opened_release(Path(config.artifacts_folder), version)
    reference = read_reference(opened.release.path)
    if reference is None:
        raise NothingToCompare(
            f"{opened.release.version}: expected a release with a reference for drift, found one from before there was "
            "any; retrain, or use another --release"
        )
    new, maps = _collected(downloaded, opened)
    _require_enough(downloaded.resolved.source, new, reference)
    found = drift_of(reference, new, maps, opened.judge.modes, (opened.data.rows, opened.data.cols))
    told = _told(downloaded, opened, found, len(new["mode"]), page)
    _write(Path(page), opened, found, told, language)
    return told


def _collected(downloaded: Downloaded, opened: Released) -> tuple[dict[str, np.ndarray], Moments]:
    """What is kept of each record, some twenty bytes, and the moments of the maps that were called good."""
    kept: dict[str, list[np.ndarray]] = {name: [] for name in ("mode", *NUMBERS, "good", "lot", "verdict")}
    lots: dict[str, int] = {}
    maps = Moments(opened.anchors.shape[1])
    for _, part, found in judged(downloaded, opened):
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
    if len(new["mode"]) < least or len(reference.mode) < LEAST_MAPS:
        raise NothingToCompare(
            f"{source}: expected at least {least} records, two points of a chart, and {LEAST_MAPS} of the reference, "
            f"found {len(new['mode'])} and {len(reference.mode)}; gather more parts before you ask"
        )


def _told(downloaded: Downloaded, opened: Released, found: Drift, records: int, page: str) -> Drifted:
    resolved, cells = downloaded.resolved, found.cells
    charts = [_chart(chart, p) for chart, p in found.charts]
    told = None if cells is None else {"drifted": cells.drifted, "p": found.cells_p, "rises": cells.rises}
    if told is not None:
        told["place"] = None if cells.place is None else asdict(cells.place)
    names = resolved.source, resolved.revision, opened.release.version
    return Drifted(*names, found.standing, records, charts, told, found.mix, page)


def _chart(chart: Chart, p: float) -> dict[str, Any]:
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


def _write(page: Path, opened: Released, found: Drift, told: Drifted, language: str | None) -> None:
    from tasks.report.drift_page import render_drift  # matplotlib

    usable(page.parent)
    own = opened.release.manifest["config"].get("report", {}).get("language", "en")
    with drafting(page.parent, "drift") as draft:
        (draft / "page.html").write_text(render_drift(opened, found, told, language or own), encoding="utf-8")
        (draft / "page.html").replace(page)
