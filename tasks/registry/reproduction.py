"""A release trained again from its manifest: its settings, and how the result compares with the release."""

from __future__ import annotations

import dataclasses
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.config.run import RunConfig
from tasks.core.errors import NewerRelease, SourceChanged
from tasks.core.packages import package_version
from tasks.core.results import MetricComparison, PinnedSource, ReproduceResult, Stage
from tasks.core.text import one_line
from tasks.data.selection import READING_VERSION
from tasks.registry.manifest import SourceSummary
from tasks.registry.release_files import read_report
from tasks.registry.releases import Release, get_release, verify_release

# Rates at a threshold are shown and do not decide: a rate of 0 in few records has the interval 0 to 0.
DECIDING_METRICS = ("auroc", "mode_accuracy", "good_auroc")
# The stages before the evaluation, which depends on the champion of its time, and why a digest may be another.
MADE_STAGES = {
    "cache": " (its files are read otherwise by now, or the stage's version is another)",
    "triplets": "",
    "model": " (another setting, stage version or Keras backend)",
}


@dataclass(frozen=True)
class ReproductionTarget:
    """The release to reproduce, and the release whose training made its weights.

    Both are the same but for a release that only has another threshold than its parent.
    """

    release: Release
    trained_release: Release

    @property
    def sources(self) -> dict[str, SourceSummary]:
        """The pinned sources by name, `train` and perhaps `test`."""
        manifest = self.trained_release.manifest
        return {"train": manifest.train} | ({} if manifest.test is None else {"test": manifest.test})


def find_target(artifacts: Path, version: str) -> ReproductionTarget:
    """The release of that name, and the one for which its weights were trained; raises UnknownRelease."""
    release = trained_release = verify_release(get_release(artifacts, version))
    while parent := trained_release.manifest.parent_version:
        trained_release = verify_release(get_release(artifacts, parent))
    return ReproductionTarget(release, trained_release)


def target_config(target: ReproductionTarget, folder: Path) -> RunConfig:
    """The settings of the release's run, with its data below `folder` and without the folds, which add no weights.

    Raises NewerRelease where this Kensa does not know one of the settings.
    """
    config = stored_config(target.trained_release)
    evaluate = replace(config.evaluate, unseen=False, permutation=False, cross=None)
    return replace(config, revision=None, evaluate=evaluate, data_folder=str(folder))


def stored_config(release: Release) -> RunConfig:
    """The settings of the release's run; raises NewerRelease where this Kensa does not know one of them."""
    stored = release.manifest.config
    try:
        fields = [field for field in dataclasses.fields(RunConfig) if field.name in stored]
        return RunConfig(**{field.name: _setting(field, stored[field.name]) for field in fields})
    except TypeError as error:
        raise NewerRelease(
            f"{release.version}: expected settings that this Kensa knows ({one_line(error)}); "
            "use the Kensa of its manifest"
        ) from None


def _setting(field: dataclasses.Field, value: Any) -> Any:
    """A section of settings from its stored dictionary, or a plain setting as it is."""
    return value if field.default_factory is dataclasses.MISSING else field.default_factory(**value)


def require_same_source(target: ReproductionTarget, name: str, resolved: PinnedSource) -> PinnedSource:
    """The source as it is now; SourceChanged where that is not what the release was trained on."""
    if resolved.revision != target.sources[name].revision:
        otherwise = (
            ", or it is read otherwise than by the version that trained it" if _is_of_earlier_reading(target) else ""
        )
        raise source_missing(target, name, f"its content is {resolved.revision[:12]} now{otherwise}")
    return resolved


def _is_of_earlier_reading(target: ReproductionTarget) -> bool:
    return target.trained_release.manifest.reading < READING_VERSION


def source_missing(target: ReproductionTarget, name: str, reason: str) -> SourceChanged:
    """The error that says which source of which release is no longer available."""
    source = target.sources[name]
    return SourceChanged(
        f"{target.trained_release.version}: expected {source.source} at {source.revision[:12]}, on which it was "
        f"trained, to be available: {reason}"
    )


def compare_with_release(target: ReproductionTarget, stages: dict[str, Stage], commit: str | None) -> ReproduceResult:
    """The release compared with the result of training it again.

    stages: cache, triplets, model and report of the new training; commit: of Kensa's checkout now. The verdict is
    `equal` for weights with the same digest, and `equivalent` for others whose deciding metrics lie within the
    release's intervals.
    """
    trained = target.trained_release
    weights = {"release": target.release.manifest.weights, "again": stages["model"].facts["weights"]}
    metrics = _metrics(trained, stages["report"])
    outside = [name for name, metric in metrics.items() if name in DECIDING_METRICS and not metric.within]
    differences = [*_weights(weights), *_stages(trained, stages), *_environment(trained, commit)]
    differences += [_format(name, metric) for name, metric in metrics.items() if metric.release != metric.again]
    return ReproduceResult(_verdict(weights, outside), target.release.version, weights, metrics, tuple(differences))


def _verdict(weights: dict[str, str], outside: list[str]) -> str:
    if weights["release"] == weights["again"]:
        return "equal"
    return "differs" if outside else "equivalent"


def _metrics(trained: Release, report: Stage) -> dict[str, MetricComparison]:
    """The metrics that have an interval in the release."""
    figures = read_report(trained.path)["figures"]
    named = {name.removesuffix("_interval"): ends for name, ends in figures.items() if name.endswith("_interval")}
    intervals = {name: ends for name, ends in {**figures["intervals"], **named}.items() if ends is not None}
    then, now = trained.manifest.metrics, report.facts["metrics"]
    return {
        name: MetricComparison(then[name], now[name], (low, high), low <= now[name] <= high)
        for name, (low, high) in intervals.items()
        if name in then and name in now
    }


def _weights(weights: dict[str, str]) -> list[str]:
    then, now = weights["release"], weights["again"]
    return [] if then == now else [f"weights {then[:12]}, now {now[:12]}"]


def _stages(trained: Release, stages: dict[str, Stage]) -> list[str]:
    """The first stage that another input, setting, version or backend named differently; the others follow from it."""
    digests = trained.manifest.stages
    for name, reason in MADE_STAGES.items():
        if digests.get(name) != stages[name].digest:
            return [f"stage {name} {digests.get(name, 'unknown')[:12]}, now {stages[name].digest[:12]}{reason}"]
    return []


def _environment(trained: Release, commit: str | None) -> list[str]:
    """Packages of another version, and another commit of Kensa."""
    then, python = trained.manifest.packages, {"python": platform.python_version()}
    now = {name: python.get(name) or package_version(name) for name in then}
    packages = [f"{name} {then[name]}, now {now[name]}" for name in then if then[name] != now[name]]
    trained_at = trained.manifest.git_commit
    return packages + ([] if trained_at == commit else [f"Kensa's commit {trained_at}, now {commit}"])


def _format(name: str, metric: MetricComparison) -> str:
    low, high = metric.interval
    where = "within" if metric.within else "outside"
    return f"{name} {metric.release:.4f}, now {metric.again:.4f}, {where} [{low:.4f}, {high:.4f}]"
