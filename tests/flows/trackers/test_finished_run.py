"""A finished run is told to other systems, and none of them can fail it."""

from __future__ import annotations

import datetime
import logging
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.trackers import finished_run
from flows.trackers.finished_run import FinishedRun, RunSource, send_champion, send_finished, tracked_name
from tasks.core.results import PinnedSource, RetrainResult

BEGAN = datetime.datetime(2026, 11, 29, 14, 0, tzinfo=datetime.UTC)
SOURCE = {"source": "acme/boards", "kind": "hub", "revision": "0123abc", "records": 200}
SEEN = []


def of(**changes):
    fields = {"status": "released", "release": "v1", "path": "artifacts/releases/v1", "champion": "v1"}
    result = RetrainResult(**fields | {"train": SOURCE, "metrics": {"auroc": 0.9}} | changes)
    return FinishedRun.of(result, "run-1", "boards", BEGAN)


def test_the_record_of_a_failed_run():
    boards, more = (PinnedSource(f"acme/{name}", "hub", "", "0123abc") for name in ("boards", "more"))
    both = PinnedSource("acme/boards+acme/more", "several", "", "r", parts=(boards, more))
    run = FinishedRun.failed(ValueError("no\nmaps"), "acme/boards@main", [both], "run-1", None, BEGAN)
    assert (run.status, run.release, run.folder, run.error) == ("failed", None, None, "ValueError: no maps")
    assert [source.source for source in run.sources] == ["acme/boards", "acme/more"]
    assert run.train == "acme/boards+acme/more"
    early = FinishedRun.failed(ValueError("gone"), "acme/boards@main", [], "run-1", None, BEGAN)
    assert (early.train, early.sources) == ("acme/boards@main", ())


@pytest.mark.parametrize(
    ("line", "folder", "name"),
    [
        ("boards", "artifacts/other/releases/v1", "kensa-boards"),
        (None, "artifacts/boards/releases/v1", "kensa-boards"),
        (None, "artifacts/releases/v1", "kensa"),
        (None, None, "kensa"),
    ],
)
def test_the_name_of_a_line(line, folder, name):
    assert tracked_name(line, folder and Path(folder)) == name


class Hook:
    name = "test"

    def send(self, run):
        SEEN.append(run)

    def send_champion(self, champion):
        SEEN.append(champion)


class Failing(Hook):
    def send(self, run):
        raise RuntimeError("the server\nis gone")


class Hanging(Hook):
    def send(self, run):
        time.sleep(60)


def absent():
    """A hook that is not configured."""


@pytest.fixture
def hooks(monkeypatch):
    """Have the hooks that these make."""
    SEEN.clear()

    def use(*makers):
        for name in ("HOOKS", "CHAMPION_HOOKS"):
            monkeypatch.setattr(finished_run, name, tuple(f"tests.{maker.__name__}:make" for maker in makers))
        modules = {f"tests.{maker.__name__}": SimpleNamespace(make=maker) for maker in makers}
        monkeypatch.setattr(finished_run.importlib, "import_module", modules.__getitem__)

    return use


def test_the_record_of_a_run():
    test = {"source": "s", "kind": "several", "revision": "r", "sources": [SOURCE, {**SOURCE, "source": "acme/more"}]}
    run = of(test=test)
    assert (run.run, run.line, run.status, run.release, run.began) == ("run-1", "boards", "released", "v1", BEGAN)
    assert run.folder == Path("artifacts/releases/v1").resolve()
    boards = RunSource("acme/boards", "hub", "0123abc")
    assert run.sources == (boards, boards, RunSource("acme/more", "hub", "0123abc"))
    assert run.ended > run.began


def test_each_configured_hook_is_told_and_one_that_fails_or_hangs_is_a_warning(hooks, caplog, monkeypatch):
    monkeypatch.setattr(finished_run, "HOOK_SECONDS", 0.3)
    hooks(Failing, Hanging, absent, Hook)
    run = of()
    send_finished(run, logging.getLogger("run").warning)
    assert [run] == SEEN
    first, second = (record.getMessage() for record in caplog.records)
    assert "was not told of this run: RuntimeError: the server is gone" in first
    assert "was not told of this run: expected an answer within 0.3 s, found none" in second


def test_a_hook_that_cannot_be_imported_is_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(finished_run, "HOOKS", ("flows.trackers.absent:hook",))
    send_finished(of(), logging.getLogger("run").warning)
    assert "absent was not told of this run: ModuleNotFoundError" in caplog.text


def test_the_champion_is_told_and_a_folder_without_one_is_a_warning(hooks, caplog, small_line, tmp_path):
    hooks(absent, Hook)
    warn = logging.getLogger("run").warning
    send_champion(small_line.artifacts_path, "boards", warn)
    (champion,) = SEEN
    assert (champion.line, champion.folder) == ("boards", (small_line.artifacts_path / "releases" / "v1").resolve())
    assert not caplog.records
    send_champion(tmp_path, None, warn)
    assert "Hook was not told of the champion: UnknownRelease" in caplog.text.replace("tests.", "")
    hooks(absent)
    caplog.clear()
    send_champion(tmp_path, None, warn)
    assert not caplog.records, "nothing is read where nobody asks"
