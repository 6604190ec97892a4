"""The data of a run, which every flow that trains begins with: sources pinned, then downloaded, cached and checked."""

from __future__ import annotations

from dataclasses import dataclass

from flows.ui.artifacts import RunArtifacts
from tasks import steps
from tasks.config.run import RunConfig
from tasks.core.errors import UnfitData
from tasks.core.results import CachedSource, Finding, PinnedSource


@dataclass(frozen=True)
class Sources:
    """The training source and, where the run has one, the test source, each pinned to a revision."""

    train: PinnedSource
    test: PinnedSource | None


@dataclass(frozen=True)
class PreparedData:
    """Both sources in Kensa's form."""

    train: CachedSource
    test: CachedSource | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The checks of both sources."""
        return self.train.findings + (self.test.findings if self.test else ())


def pin_sources(config: RunConfig) -> Sources:
    """The present revisions of the sources, or the one that the configuration names."""
    train = steps.resolve(config.train, config.revision, config.data_path)
    return Sources(train, steps.resolve(config.test, None, config.data_path) if config.test else None)


def prepare(sources: Sources, config: RunConfig) -> PreparedData:
    """Download and cache the sources; the UI shows their checks, also those that fail. Raises UnfitData."""
    ui = RunArtifacts.of(config)
    test = sources.test
    return PreparedData(_cache(sources.train, config, ui), _cache(test, config, ui, held_out=True) if test else None)


def _cache(source: PinnedSource, config: RunConfig, ui: RunArtifacts, held_out: bool = False) -> CachedSource:
    downloaded = steps.download(source)
    try:
        cached = steps.cache(downloaded, config.data, config.data_path, held_out, config.engine.dask)
    except UnfitData as unfit:
        ui.publish_findings(source.source, unfit.findings)
        raise
    ui.publish_findings(source.source, cached.findings)
    return cached
