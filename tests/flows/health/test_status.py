"""A look at all parts, in a folder without anything, with a broken settings file, and with a server that is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.health.status import StatusReader
from flows.service.ledger import Ledger


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to look at, without a server."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREFECT_API_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    return tmp_path


def look(**options):
    return StatusReader(Path("data"), Path("artifacts"), **options).read()


def names(status):
    return {check.name: check.verdict for check in status.checks}


def test_pages_alone_are_well(folder):
    status = look()
    parts = ("server", "worker", "pages", "receiver", "disk, data", "disk, artifacts", "runs")
    assert tuple(names(status)) == parts
    assert status.verdict != "failed"
    assert (status.databases, status.lines, status.workers) == ({}, [], None)
    assert set(status.as_json()["checks"][0]) == {"name", "verdict", "found", "cure"}


def test_a_server_that_is_away_fails_with_what_needs_it(folder, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (folder / "kensa.toml").write_text('[lines.boards]\ntrain = "demo"\n')
    status = look()
    found = names(status)
    assert (found["server"], found["worker"], found["pages"], found["line boards"]) == ("failed", "failed", "ok", "ok")
    assert status.as_json()["status"] == "failed"
    assert all(check.cure for check in status.checks if check.verdict == "failed")


def test_a_settings_file_that_is_wrong_is_said(folder):
    (folder / "kensa.toml").write_text("tries = 0\n")
    (check,) = [check for check in look().checks if check.name == "lines"]
    assert (check.verdict, "expected tries of 1 or more" in check.found) == ("failed", True)


def test_databases_have_a_size_with_their_logs(folder, monkeypatch):
    Ledger("data")
    (folder / "prefect").mkdir()
    (folder / "prefect" / "prefect.db").write_bytes(b"1" * 100)
    (folder / "prefect" / "prefect.db-wal").write_bytes(b"1" * 11)
    sizes = look().databases
    assert (sizes["prefect"], sizes["ledger"] > 0) == (111, True)
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://127.0.0.1/prefect")
    assert set(look().databases) == {"ledger"}


def test_a_look_is_shown_again_for_some_seconds(folder, monkeypatch):
    reader = StatusReader(Path("data"), Path("artifacts"))
    first = reader.read()
    assert reader.read() is first
    monkeypatch.setattr("flows.health.status.FRESH_SECONDS", -1)
    assert reader.read() is not first
