"""The metrics of the service in Prometheus' text format. Their names are a promise to dashboards and alarms."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from kensa.serving.champion import CurrentRelease
from kensa.serving.kept_verdicts import VerdictKeeper
from kensa.serving.served_release import Verdicts
from kensa.serving.turns import Turns

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class ServiceMetrics:
    """What the service has done since it started, and what it serves."""

    def __init__(self, current: CurrentRelease, turns: Turns, keeper: VerdictKeeper | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = Counter("kensa_serve_requests", "Requests for verdicts", ["status"], registry=self.registry)
        self.verdicts = Counter("kensa_serve_verdicts", "Verdicts", ["verdict", "release"], registry=self.registry)
        self.unregistered = Counter(
            "kensa_serve_unregistered", "Photographs that were not aligned", ["release"], registry=self.registry
        )
        self.seconds = Histogram(
            "kensa_serve_request_seconds", "Seconds of a request with verdicts", buckets=SECONDS, registry=self.registry
        )
        self.registry.register(_Present(current, turns, keeper))

    def count(self, verdicts: Verdicts, registered: list[bool] | None = None) -> None:
        """Count the verdicts of one request; registered: of photographs, whether each was aligned."""
        if registered and not all(registered):
            self.unregistered.labels(verdicts.release).inc(registered.count(False))
        for verdict, count in Count(verdicts.columns["verdict"].tolist()).items():
            self.verdicts.labels(verdict, verdicts.release).inc(count)

    def text(self) -> bytes:
        """All metrics."""
        return generate_latest(self.registry)


class _Present(Collector):
    """What is so now."""

    def __init__(self, current: CurrentRelease, turns: Turns, keeper: VerdictKeeper | None) -> None:
        self.current, self.turns, self.keeper = current, turns, keeper

    def collect(self) -> Iterator[Metric]:
        """The release, its changes, and the requests under way."""
        release = self.current.release
        info = GaugeMetricFamily("kensa_serve_release_info", "1 for the release", labels=["release", "digest"])
        info.add_metric([release.version, release.digest], 1)
        yield info
        yield GaugeMetricFamily("kensa_serve_release_changes", "Changes of the release", value=self.current.changes)
        failing = float(bool(self.current.problem))
        yield GaugeMetricFamily("kensa_serve_champion_not_served", "1 while another judges", value=failing)
        yield GaugeMetricFamily("kensa_serve_requests_present", "Requests under way", value=self.turns.admitted)
        if self.keeper:
            waiting, lost = self.keeper.waiting, self.keeper.lost
            yield GaugeMetricFamily("kensa_serve_verdicts_waiting", "Verdicts that are not yet written", value=waiting)
            yield GaugeMetricFamily("kensa_serve_verdicts_not_kept", "Verdicts that were not kept", value=lost)
