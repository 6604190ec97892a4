"""The metrics of a status, read back as Prometheus reads them."""

from __future__ import annotations

import datetime

from prometheus_client.parser import text_string_to_metric_families

from flows.health.checks import Check, RunLocks
from flows.health.lines import LineStatus, Retraining
from flows.health.metrics import metrics_text
from flows.health.status import Status

NOON = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)


def samples(status):
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(metrics_text(status).decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


def test_every_figure_of_a_status_is_a_sample():
    checks = [Check("server", "ok", ""), Check("receiver", "failed", ""), Check("line boards", "ok", "")]
    line = LineStatus("boards", "v3", NOON, Retraining("rejected", "", NOON), {"pending": 2})
    status = Status(checks, 1, RunLocks({"r1": 0.5}, ("r2", "r3")), [line], {"data": 7}, {"ledger": 9})
    found = samples(status)
    assert found["kensa_up", "server"] == 1
    assert found["kensa_up", "receiver"] == 0
    assert ("kensa_up", "line boards") not in found
    assert found["kensa_healthy",] == 0
    assert found["kensa_workers_online",] == 1
    assert found["kensa_run_locks", "dead"] == 2
    assert found["kensa_run_lock_age_seconds", "r1"] == 1800
    assert found["kensa_disk_free_bytes", "data"] == 7
    assert found["kensa_database_bytes", "ledger"] == 9
    assert found["kensa_champion_info", "boards", "v3"] == 1
    assert found["kensa_champion_created_timestamp_seconds", "boards"] == NOON.timestamp()
    assert found["kensa_last_retraining_timestamp_seconds", "boards"] == NOON.timestamp()
    assert found["kensa_last_retraining", "boards", "rejected"] == 1
    assert found["kensa_last_retraining", "boards", "failed"] == 0
    assert found["kensa_dataset_versions", "boards", "pending"] == 2
    assert found["kensa_dataset_versions", "boards", "running"] == 0


def test_what_is_not_known_has_no_sample():
    found = samples(Status([Check("pages", "ok", "")]))
    assert found["kensa_up", "pages"] == found["kensa_healthy",] == 1
    names = {name for name, *_ in found}
    assert not {name for name in names if name.startswith(("kensa_last", "kensa_champion", "kensa_workers"))}
