"""The flow score: the verdicts' files, and what the UI shows of them."""

from __future__ import annotations

import json
import shutil

import pyarrow.parquet as pq
import pytest
from support.factory import until
from support.flow_runs import in_place, run_flow
from support.inspected_parts import map_column
from support.releases import NO_DRAFTS, reseal

from flows.score import score
from tasks.core import progress
from tasks.core.errors import BadSetting, UnknownRelease

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(small_line, a_place, server, hidden, tmp_path_factory):
    """A line whose release is that of `small_line`, and labelled parts that it never saw; flows run here."""
    place = a_place(tmp_path_factory.mktemp("score") / "place", server.env)
    (place.folder / "new").mkdir()
    pq.write_table(map_column(hidden(each=40, seed=3)), place.folder / "new" / "records.parquet")
    (place.folder / "artifacts").mkdir()
    (place.folder / "artifacts" / "boards").symlink_to(small_line.artifacts_path)
    (place.folder / "kensa.toml").write_text('[lines.boards]\ntrain = "acme/boards"\n')
    with in_place(place.folder, server):
        yield place


def test_the_flow_writes_verdicts_a_page_and_flips_and_shows_them_in_the_ui(place, server, monkeypatch):
    monkeypatch.setattr(progress, "COUNTER_SECONDS", 0.0)
    run = run_flow(score, source="new", line="boards", against="v1", out="verdicts/today.parquet")
    assert run.error is None
    assert (run.result.release, sum(run.result.counts.values())) == ("v1", 120)
    names = {"today.parquet", "today.html", "today.flips.parquet"}
    assert {path.name for path in (place.folder / "verdicts").iterdir()} == names
    text = server.artifacts(run.id)["verdicts"]["data"]
    assert "false alarms" in text
    assert "**0** verdicts differ from those of **v1**" in text
    assert "today.html" in text
    until(lambda: any("120 records scored" in line for line in server.logs(run.id)), 30, "the count is in the log")


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"line": "nowhere"}, BadSetting, "expected one of boards"),
        ({"line": "boards", "release": "v77"}, UnknownRelease, "no such release"),
        ({"line": "boards", "part": "evening"}, BadSetting, "expected the split evening"),
        ({"line": "boards", "config": "front"}, BadSetting, "expected the configuration front"),
    ],
)
def test_a_mistake_fails_the_run_and_writes_nothing(place, parameters, error, message):
    run = run_flow(score, source="new", out="mistake/v.parquet", **parameters)
    assert isinstance(run.error, error)
    assert message in str(run.error)
    assert not (place.folder / "mistake").exists()


def test_a_line_with_a_shadow_shows_what_the_challenger_says(small_line, place, server):
    """The release v2 was made after the champion, and stops more."""
    artifacts = place.folder / "artifacts" / "shaded"
    shutil.copytree(small_line.artifacts_path, artifacts, ignore=NO_DRAFTS)
    folder = shutil.copytree(artifacts / "releases" / "v1", artifacts / "releases" / "v2")
    settings = json.loads((folder / "threshold.json").read_text())
    settings["thresholds"][0]["value"] *= 0.5
    (folder / "threshold.json").write_text(json.dumps(settings))
    reseal(folder, version="v2", fingerprint="2" * 64)
    lines = place.folder / "kensa.toml"
    lines.write_text(lines.read_text() + '[lines.shaded]\ntrain = "acme/boards"\nshadow = true\n')
    run = run_flow(score, source="new", line="shaded", out="verdicts/shaded.parquet")
    assert run.error is None
    shown = server.artifacts(run.id)
    assert "# SHADOW: v2 beside the champion v1" in shown["shadow-shaded"]["data"]
    assert "| false alarms |" in shown["shadow-shaded"]["data"]
    assert "**shadowed** | v2" in shown["journal-shaded"]["data"]
    plain = run_flow(score, source="new", line="boards", out="verdicts/plain.parquet")
    assert not [key for key in server.artifacts(plain.id) if key.startswith("shadow")]
