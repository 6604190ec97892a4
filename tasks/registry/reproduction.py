"""A release made again from its manifest: what is to be walked anew, and how what came of it compares."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.config.run import RunConfig
from tasks.core.errors import NewerRelease, SourceChanged
from tasks.core.results import PinnedSource, ReproduceResult, Stage
from tasks.registry.releases import Release, get_release, verify_release

# Rates at a threshold are shown and do not decide: 0 of few records has no interval but 0 to 0.
DECIDING_METRICS = ("auroc", "mode_accuracy", "good_auroc")
MADE_STAGES = ("cache", "triplets", "model")  # the stages before the judgement, which another champion would change


@dataclass(frozen=True)
class ReproductionTarget:
    """What is trained anew: `release` was asked for; `origin` is the release whose training made its weights.

    Both are the same but for a release that only calibrated another's model anew.
    """

    release: Release
    origin: Release

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """The pinned sources by name, `train` and perhaps `test`."""
        return {name: told for name in ("train", "test") if (told := self.origin.manifest.get(name))}


def find_target(artifacts: Path, version: str) -> ReproductionTarget:
    """The release of that name, and the one that its weights were trained for; raises UnknownRelease."""
    release = origin = verify_release(get_release(artifacts, version))
    while parent := origin.manifest.get("parent"):
        origin = verify_release(get_release(artifacts, parent if isinstance(parent, str) else parent["version"]))
    return ReproductionTarget(release, origin)


def target_config(found: ReproductionTarget, folder: Path) -> RunConfig:
    """The run that made the release, with its data below `folder`; the folds, which train no weights of it, left out.

    Raises NewerRelease where this Kensa does not know a setting of it.
    """
    told = found.origin.manifest["config"]
    try:
        values = {
            field.name: _value(field, told[field.name]) for field in dataclasses.fields(RunConfig) if field.name in told
        }
        config = RunConfig(**values)
    except TypeError as error:
        raise NewerRelease(
            f"{found.origin.version}: expected settings that this Kensa knows ({error}); use the Kensa of its manifest"
        ) from None
    evaluate = replace(config.evaluate, unseen=False, permutation=False)
    return replace(config, revision=None, evaluate=evaluate, data_folder=str(folder))


def _value(field: dataclasses.Field, told: Any) -> Any:
    return told if field.default_factory is dataclasses.MISSING else field.default_factory(**told)


def require_same_source(found: ReproductionTarget, name: str, resolved: PinnedSource) -> PinnedSource:
    """The source as it lies there now; SourceChanged where that is not what the release was trained on."""
    told = found.sources[name]
    if resolved.revision == told["revision"]:
        return resolved
    raise source_missing(found, name, f"its content is {resolved.revision[:12]} now")


def source_missing(found: ReproductionTarget, name: str, reason: str) -> SourceChanged:
    """The error that tells which source of which release is not to be had."""
    told = found.sources[name]
    return SourceChanged(
        f"{found.origin.version}: expected {told['source']} at {told['revision'][:12]}, on which it was trained, "
        f"to be there still: {reason}"
    )


def compare_with_release(found: ReproductionTarget, stages: dict[str, Stage], commit: str | None) -> ReproduceResult:
    """The release beside what came of training it anew.

    stages: cache, triplets, model and report of the new training; commit: of Kensa's checkout now. `equal`
    are weights with the same digest; `equivalent` are others whose figures lie within the release's intervals.
    """
    weights = {"release": found.release.manifest["weights"], "again": stages["model"].facts["weights"]}
    figures = _metrics(found.origin, stages["report"])
    outside = [name for name, told in figures.items() if name in DECIDING_METRICS and not told["within"]]
    equal = weights["release"] == weights["again"]
    verdict = "equal" if equal else "differs" if outside else "equivalent"
    differences = [*_weights(weights), *_stages(found.origin, stages), *_environment(found.origin, commit)]
    differences += [
        _format_metric(name, figures[name]) for name in figures if figures[name]["release"] != figures[name]["again"]
    ]
    return ReproduceResult(verdict, found.release.version, weights, figures, tuple(differences))


def _metrics(origin: Release, report: Stage) -> dict[str, dict[str, Any]]:
    """The figures of which the release has an interval: then, now, and whether now lies within."""
    told = json.loads((origin.path / "report.json").read_text())["figures"]
    suffix = "_interval"
    single = {name.removesuffix(suffix): edges for name, edges in told.items() if name.endswith(suffix)}
    edges = {name: ends for name, ends in {**told["intervals"], **single}.items() if ends is not None}
    then, now = origin.manifest["metrics"], report.facts["metrics"]
    return {
        name: {"release": then[name], "again": now[name], "interval": ends, "within": ends[0] <= now[name] <= ends[1]}
        for name, ends in edges.items()
        if name in then and name in now
    }


def _weights(weights: dict[str, str]) -> list[str]:
    then, now = weights.values()
    return [] if then == now else [f"weights {then[:12]}, now {now[:12]}"]


def _stages(origin: Release, stages: dict[str, Stage]) -> list[str]:
    """The first stage that another input, setting, version or backend named differently; the others follow from it."""
    told = origin.manifest["stages"]
    other = [name for name in MADE_STAGES if told.get(name) != stages[name].digest]
    reason = " (another setting, stage version or Keras backend)" if other[:1] == ["model"] else ""
    return [
        f"stage {name} {told.get(name, 'unknown')[:12]}, now {stages[name].digest[:12]}{reason}" for name in other[:1]
    ]


def _environment(origin: Release, commit: str | None) -> list[str]:
    then, here = origin.manifest["packages"], {"python": platform.python_version()}
    now = {name: here.get(name) or importlib.metadata.version(name) for name in then}
    other = [f"{name} {then[name]}, now {now[name]}" for name in then if then[name] != now[name]]
    made = origin.manifest.get("git_commit")
    return other + ([f"Kensa's commit {made}, now {commit}"] if made != commit else [])


def _format_metric(name: str, figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    where = "within" if figure["within"] else "outside"
    return f"{name} {figure['release']:.4f}, now {figure['again']:.4f}, {where} [{low:.4f}, {high:.4f}]"
