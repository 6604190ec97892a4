"""The step `drift`: a page and a summary of new parts, or one line that says why not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import Parts, map_column, source
from support.releases import NO_DRAFTS

from tasks.core.errors import MissingStage, NothingToCompare
from tasks.core.stages import MANIFEST, seal_folder
from tasks.drift import drift
from tasks.monitoring.reference import Reference
from tasks.registry.observations import observations
from tasks.registry.record_bank import RecordKeys
from tasks.registry.release_files import SplitRecords


def test_the_page_and_the_summary_agree(small_line, hidden, tmp_path):
    parts = hidden(each=100, seed=22)
    parts.maps[:] *= 1.5
    new = source(map_column(parts).select(["map"]), tmp_path / "new")
    result = drift(new, small_line.artifacts_path, tmp_path / "out" / "d.html", language="ja")
    assert (result.status, result.records, result.release) == ("drifted", 300, "v1")
    assert (result.source, result.revision) == (new.resolved.source, new.resolved.revision)
    assert result.page == str(tmp_path / "out" / "d.html")
    text = (tmp_path / "out" / "d.html").read_text()
    assert "ドリフトあり" in text
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["d.html"]
    seen = observations(small_line.artifacts_path)
    assert ("drift", "v1", new.resolved.revision, "drifted") in [
        (entry.kind, entry.release, entry.revision, entry.facts.get("status")) for entry in seen
    ]


def test_a_release_that_predates_drift_references_gets_one_from_its_record_bank(
    small_line, small_release, hidden, tmp_path, capfd
):
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts", ignore=NO_DRAFTS))
    new = source(map_column(hidden(each=50, seed=5)), tmp_path / "new")
    with_reference = drift(new, artifacts, tmp_path / "with.html")
    shutil.rmtree(artifacts / "drift")  # what it remembers of the source
    folder = artifacts / "releases" / "v1"
    _reseal_without_reference(folder, small_release.manifest)
    made = drift(new, artifacts, tmp_path / "made.html")
    assert replace(made, page=with_reference.page) == with_reference
    assert "v1: its version wrote no drift reference; it is made of its record bank" in capfd.readouterr().err
    shutil.rmtree(artifacts / "drift")
    moved = replace(small_release.manifest, config=small_release.manifest.config | {"data_folder": "elsewhere"})
    _reseal_without_reference(folder, moved)
    with pytest.raises(MissingStage, match="which its version did not write, and kensa reproduce v1"):
        drift(new, artifacts, tmp_path / "d.html")


def _reseal_without_reference(folder, manifest):
    (folder / "reference.npz").unlink(missing_ok=True)
    (folder / MANIFEST).unlink()
    seal_folder(folder, manifest.as_json())


def test_the_records_that_made_the_release_are_left_out(small_line, small_release, hidden, tmp_path):
    """Without that, the release's own data had drifted from it."""
    own = hidden()
    keys = RecordKeys(SplitRecords.load(small_release.path).hash)
    assert len(keys) == len(own.maps), "the small line is made of these records"
    new = hidden(each=50, seed=23)
    both = Parts(*(np.concatenate([getattr(part, name) for part in (own, new)]) for name in vars(own)))
    page = tmp_path / "d.html"
    result = drift(source(map_column(both), tmp_path / "both"), small_line.artifacts_path, page)
    alone = drift(source(map_column(new), tmp_path / "new"), small_line.artifacts_path, page)
    assert (result.left_out, result.records, alone.left_out, alone.records) == (len(keys), 150, 0, 150)
    assert result.as_json()["charts"] == alone.as_json()["charts"]
    with pytest.raises(NothingToCompare, match=f"found 0, without {len(keys)} that the release was made with"):
        drift(source(map_column(own), tmp_path / "own"), small_line.artifacts_path, page)


@pytest.mark.parametrize(
    ("lots_then", "lots_now", "noted"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_new_parts_without_the_lots_that_the_release_has_are_named(
    small_line, small_release, hidden, tmp_path, monkeypatch, capsys, lots_then, lots_now, noted
):
    """`data.group` is the column of the training source: it may have another name in the new parts."""
    reference = Reference.load_if_stored(small_release.path)
    lots = np.array([f"L{i % 3}" if lots_then else "" for i in range(len(reference))])
    monkeypatch.setattr(Reference, "load_if_stored", lambda path: replace(reference, lot=lots))
    parts = hidden(each=50, seed=23)
    table = map_column(parts).append_column("group" if lots_now else "board", [[f"N{i % 2}" for i in range(150)]])
    drift(source(table, tmp_path / "new"), small_line.artifacts_path, tmp_path / "d.html")
    assert ("no lots in a column group, as v1 has" in capsys.readouterr().err) == noted


def test_a_handful_of_parts_is_refused_and_leaves_no_page(small_line, hidden, tmp_path):
    with pytest.raises(NothingToCompare, match="at least 20 records"):
        drift(source(map_column(hidden(each=5)), tmp_path / "new"), small_line.artifacts_path, tmp_path / "d.html")
    assert not (tmp_path / "d.html").exists()


@pytest.mark.slow
def test_the_days_of_a_source_are_carried_from_run_to_run(small_line, hidden, tmp_path):
    """A data set that grows: each day judges its new records, the same revision is the same day, and a jump is seen."""
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts", ignore=NO_DRAFTS))
    days = [hidden(each=60, seed=seed) for seed in (23, 24, 25)]
    days[2].maps[:] *= 2.5
    results, folder = [], tmp_path / "line"
    for day, parts in enumerate(days):
        new = source(map_column(parts).select(["map"]), folder)
        (folder / "table.parquet").rename(folder / f"{day}.parquet")
        resolved = replace(new.resolved, revision=f"r{day}")
        new = replace(new, resolved=resolved)
        results += [drift(new, artifacts, tmp_path / "d.html") for _ in range(2)]
    first, second, third = results[::2]
    assert [first.as_json(), second.as_json(), third.as_json()] == [result.as_json() for result in results[1::2]]
    assert [(result.day, result.counted, result.records) for result in (first, second, third)] == [
        (1, 0, 180),
        (2, 180, 180),
        (3, 360, 180),
    ]
    assert (second.status != "drifted", third.status) == (True, "drifted")
    assert {day.reason for day in third.remarkable_days} >= {"day"}
    text = (tmp_path / "d.html").read_text()
    assert "This is day 3 of this source." in text
    assert "standard deviations from its usual level." in text
    with pytest.raises(NothingToCompare, match="found 0, without 540 that an earlier day counted"):
        drift(replace(new, resolved=replace(resolved, revision="r3")), artifacts, tmp_path / "d.html")
