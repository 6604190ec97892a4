"""The status as Prometheus metrics. Their names are a promise to dashboards and alarms."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from flows.health.status import Status
from flows.service.ledger import STATES

CONTENT_TYPE = CONTENT_TYPE_LATEST
PARTS = ("server", "worker", "pages", "receiver")
OUTCOMES = ("released", "candidate", "rejected", "unchanged", "failed", "crashed", "cancelled")


def metrics_text(status: Status) -> bytes:
    """The status in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(status))
    return generate_latest(registry)


class StatusCollector(Collector):
    """Gauges of one status."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Metric]:
        """All metrics; one without a value in this status has no sample."""
        yield from self._services()
        yield from self._places()
        yield from self._lines()

    def _services(self) -> Iterator[Metric]:
        verdicts = {check.name: check.verdict for check in self.status.checks}
        up = {(name,): verdicts[name] != "failed" for name in PARTS if name in verdicts}
        yield _gauge("kensa_up", "1 while a part answers, or was not to be started, else 0", ["part"], up)
        healthy = {(): self.status.verdict != "failed"}
        yield _gauge("kensa_healthy", "1 while no check of /health has failed, else 0", [], healthy)
        workers = {} if self.status.workers is None else {(): self.status.workers}
        yield _gauge("kensa_workers_online", "Workers in the pool that are online", [], workers)
        locks = self.status.locks
        runs = {("alive",): len(locks.alive), ("dead",): len(locks.dead)}
        yield _gauge("kensa_run_locks", "Runs of this machine that hold a lock, or died with one", ["state"], runs)
        ages = {(run,): hours * 3600 for run, hours in locks.alive.items()}
        yield _gauge("kensa_run_lock_age_seconds", "Seconds since a living run began", ["run"], ages)

    def _places(self) -> Iterator[Metric]:
        free = {(name,): size for name, size in self.status.free.items()}
        yield _gauge("kensa_disk_free_bytes", "Free bytes on the disk of a folder", ["folder"], free)
        sizes = {(name,): size for name, size in self.status.databases.items()}
        yield _gauge("kensa_database_bytes", "Bytes of a database file and its log", ["database"], sizes)

    def _lines(self) -> Iterator[Metric]:
        lines = self.status.lines
        champions = {(line.name, line.champion): 1 for line in lines if line.champion}
        yield _gauge("kensa_champion_info", "1 for the champion of a line", ["line", "release"], champions)
        created = {(line.name,): line.created.timestamp() for line in lines if line.created}
        yield _gauge("kensa_champion_created_timestamp_seconds", "When the champion was made", ["line"], created)
        ended = {(line.name,): line.last.ended.timestamp() for line in lines if line.last}
        yield _gauge("kensa_last_retraining_timestamp_seconds", "When the last retraining ended", ["line"], ended)
        outcomes = {
            (line.name, outcome): line.last.outcome == outcome
            for line in lines
            if line.last
            for outcome in dict.fromkeys((*OUTCOMES, line.last.outcome))
        }
        yield _gauge("kensa_last_retraining", "1 for how the last retraining ended", ["line", "outcome"], outcomes)
        versions = {(line.name, state): line.versions.get(state, 0) for line in lines for state in STATES}
        yield _gauge("kensa_dataset_versions", "Dataset versions in the ledger", ["line", "state"], versions)


def _gauge(name: str, text: str, labels: list[str], values: dict[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for label_values, value in values.items():
        family.add_metric([*label_values], float(value))
    return family
