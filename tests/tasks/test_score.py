"""The step `score`: files of verdicts from a release alone, figures where there are labels, nothing half-written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import ConvertOptions, read_csv
from support.factory import until
from support.inspected_parts import map_column, source, wide_records
from support.releases import NO_DRAFTS, reseal

from tasks.core.errors import DamagedRelease, UnfitRelease, UnknownRelease, UnreadableSource
from tasks.core.inspection import ScoreRequest
from tasks.data.listing import CSV_VERDICTS
from tasks.drift import drift
from tasks.registry.journal import read_journal
from tasks.review.decisions import Decision, decide, map_text
from tasks.score import score
from tasks.workers.cluster import connected


@pytest.fixture(scope="module")
def fresh(hidden):
    """Records that nothing was trained on."""
    return hidden(each=20, seed=1)


@pytest.fixture(scope="module")
def two(small_line, tmp_path_factory):
    """Artifacts with the small line's release twice, under two names."""
    artifacts = Path(
        shutil.copytree(small_line.artifacts_folder, tmp_path_factory.mktemp("two") / "artifacts", ignore=NO_DRAFTS)
    )
    shutil.copytree(artifacts / "releases" / "v1", artifacts / "releases" / "v2")
    return artifacts


@pytest.fixture(scope="module")
def scored(two, fresh, tmp_path_factory):
    """The result, and its folder: verdicts on labelled parts, compared with another release."""
    folder = tmp_path_factory.mktemp("scored")
    request = ScoreRequest(folder / "v.parquet", folder / "v.html", version="v1", against="v2")
    return score(source(map_column(fresh), folder / "new"), two, request), folder


def test_the_table_holds_a_verdict_of_the_releases_thresholds_for_each_record(scored, small_release):
    result, folder = scored
    table = pq.read_table(folder / "v.parquet")
    assert (result.release, result.path) == ("v1", str(folder / "v.parquet"))
    assert json.loads(table.schema.metadata[b"kensa"])["revision"] == result.revision
    verdicts = table["verdict"].to_pylist()
    assert result.counts == {name: verdicts.count(name) for name in ("good", "defect", "unknown")}
    for row in table.to_pylist():
        assert row["margin"] == pytest.approx(small_release.defect_threshold - row["score"])
        assert (row["verdict"] == "good") == (row["margin"] >= 0)
        if row["verdict"] == "unknown":
            assert row["distance"] > small_release.mode_radius


def test_files_that_were_not_read_are_in_the_result_and_in_the_metadata(two, fresh, tmp_path):
    parts = source(map_column(fresh), tmp_path / "new")
    (tmp_path / "new" / "table.parquet.bak").write_text("x")
    result = score(parts, two, ScoreRequest(tmp_path / "new" / "v.parquet"))
    assert result.unread == ("table.parquet.bak (no table by its name)",)
    metadata = json.loads(pq.read_schema(result.path).metadata[b"kensa"])
    assert metadata["not_read"] == list(result.unread)
    again = score(parts, two, ScoreRequest(tmp_path / "new" / "v.parquet"))
    assert (again.counts, again.unread[1]) == (
        result.counts,
        "v.parquet (verdicts of an earlier run)",
    )  # verdicts in the source's folder are no source


@pytest.mark.slow
def test_workers_give_the_same_verdicts_also_where_one_is_killed(two, hidden, workers, tmp_path):
    """Sixteen files are sixteen batches; the time of the scoring alone differs."""
    table = map_column(hidden(each=100, seed=3))
    rows = table.num_rows // 16
    parts = source(table.slice(0, rows), tmp_path / "new")
    for i in range(1, 16):
        pq.write_table(table.slice(i * rows, rows), tmp_path / "new" / f"{i:02}.parquet")
    results, tables, drifts = [], [], []
    for dask in (None, workers):
        request = ScoreRequest(tmp_path / "v.parquet", version="v1", against="v2", dask=dask)
        with kill_a_worker(dask):
            results.append(score(parts, two, request))
        tables.append(pq.read_table(tmp_path / "v.parquet").drop_columns("time"))
        drifts.append(drift(parts, two, tmp_path / "d.html", version="v1", dask=dask))
        shutil.rmtree(two / "drift")  # what it remembers of the source
    assert results[0] == results[1]
    assert tables[0].num_rows == 16 * rows
    assert tables[0].equals(tables[1])
    assert drifts[0] == drifts[1]


@contextlib.contextmanager
def kill_a_worker(address):
    """End one of the workers as soon as it works on something; nothing without an address."""
    if address is None:
        yield
        return
    with connected(address, "--dask") as client, ThreadPoolExecutor(1) as pool:
        killing = pool.submit(_kill_busy_worker, client)
        yield
        assert killing.result(), "a worker was killed"


def _kill_busy_worker(client):
    until(lambda: any(client.processing().values()), 60, "a worker is busy")
    busy = next(worker for worker, keys in client.processing().items() if keys)
    os.kill(client.run(os.getpid, workers=[busy])[busy], signal.SIGKILL)
    return True


def test_a_name_that_ends_in_csv_gets_csv_which_is_no_source_either(two, fresh, scored, tmp_path):
    parts = source(map_column(fresh), tmp_path / "new")
    result = score(parts, two, ScoreRequest(tmp_path / "new" / "v.csv", version="v1"))
    assert result.counts == scored[0].counts
    assert (tmp_path / "new" / "v.csv").read_bytes().startswith(CSV_VERDICTS)
    table = read_csv(tmp_path / "new" / "v.csv", convert_options=ConvertOptions(column_types={"mode": "str"}))
    expected = pq.read_table(scored[1] / "v.parquet")
    assert table.column_names == expected.column_names
    assert table["verdict"].to_pylist() == expected["verdict"].to_pylist()
    np.testing.assert_allclose(table["distance"], expected["distance"])
    again = score(parts, two, ScoreRequest(tmp_path / "w.parquet", version="v1"))
    assert (again.counts, again.unread) == (result.counts, ("v.csv (verdicts of an earlier run)",))


def test_the_source_has_its_own_word_for_good(two, fresh, scored, tmp_path):
    table = map_column(fresh)
    words = pa.array(["OK" if str(label) == "0" else "NG" for label in table["label"].to_pylist()])
    parts = source(table.set_column(table.schema.get_field_index("label"), "label", words), tmp_path / "new")
    result = score(parts, two, ScoreRequest(tmp_path / "v.parquet", version="v1", good="OK"))
    assert (result.figures.false_alarms, result.figures.escapes) == (
        scored[0].figures.false_alarms,
        scored[0].figures.escapes,
    )
    assert score(parts, two, ScoreRequest(tmp_path / "v.parquet", version="v1")).figures.lacks_good


def test_labels_give_figures(scored, fresh):
    result, folder = scored
    table = pq.read_table(folder / "v.parquet")
    positive = table["verdict"].to_numpy(zero_copy_only=False) != "good"
    figures = result.figures
    assert figures.records == 60
    assert figures.false_alarms.count == int(positive[fresh.label == 0].sum())
    assert figures.escapes.count == int((~positive[fresh.label == 1]).sum())
    np.testing.assert_array_equal(np.sum(figures.confusion, axis=1), np.bincount(fresh.mode))
    right = table["mode"].to_numpy(zero_copy_only=False) == fresh.mode.astype(str)
    assert figures.mode_accuracy.rate == pytest.approx(right.mean())


def test_page_and_flips_lie_beside_the_verdicts(scored):
    result, folder = scored
    assert {path.name for path in folder.iterdir()} == {"new", "v.parquet", "v.flips.parquet", "v.html"}
    assert result.page == str(folder / "v.html")
    assert (result.flips.flipped, result.flips.against) == (0, "v2")
    assert result.flips.path == str(folder / "v.flips.parquet")
    assert pq.read_table(folder / "v.flips.parquet").num_rows == 0


def test_labels_are_not_needed_and_the_champion_is_the_default(two, hidden, tmp_path):
    table = wide_records(hidden(each=3)).drop_columns(["label", "fmode"])
    result = score(source(table, tmp_path / "new"), two, ScoreRequest(tmp_path / "out.parquet"))
    assert (sum(result.counts.values()), result.release) == (9, "v1")
    assert (result.figures, result.flips, result.page) == (None, None, None)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "out.parquet"}


def test_what_does_not_fit_is_refused_and_leaves_nothing(two, hidden, tmp_path):
    parts = hidden(each=3)
    parts.maps[4, 2] = np.nan
    out = tmp_path / "out"
    request = ScoreRequest(out / "v.parquet", out / "v.html", against="v2")
    with pytest.raises(UnreadableSource, match="row 4"):
        score(source(map_column(parts), tmp_path / "new"), two, request)
    assert list(out.iterdir()) == []


def test_without_the_release_nothing_is_written(two, fresh, tmp_path):
    new, out = source(map_column(fresh), tmp_path / "new"), tmp_path / "out"
    with pytest.raises(UnknownRelease, match="champion"):
        score(new, tmp_path / "artifacts", ScoreRequest(out / "v.parquet"))
    with pytest.raises(UnknownRelease, match="v9"):
        score(new, two, ScoreRequest(out / "v.parquet", against="v9"))
    assert not out.exists()


def test_releases_of_other_map_sizes_are_not_compared(two, fresh, tmp_path, monkeypatch):
    import tasks.score as module

    load = module.load_release

    def of_another_size(artifacts, version):
        release = load(artifacts, version)
        return release if version != "v2" else module.replace(release, anchors=release.anchors[:, :-1])

    monkeypatch.setattr(module, "load_release", of_another_size)
    with pytest.raises(UnfitRelease, match="v2: expected a release for 4×5 maps to compare with"):
        score(source(map_column(fresh), tmp_path / "new"), two, ScoreRequest(tmp_path / "v.parquet", against="v2"))


def test_a_damaged_release_is_not_used(two, fresh, tmp_path):
    threshold = two / "releases" / "v2" / "threshold.json"
    threshold.write_bytes(threshold.read_bytes().replace(b"euclidean", b"euclidian"))
    with pytest.raises(DamagedRelease):
        score(source(map_column(fresh), tmp_path / "new"), two, ScoreRequest(tmp_path / "v.parquet", version="v2"))


@pytest.mark.parametrize(("requested", "language"), [(None, "ja"), ("en", "en")])
def test_the_page_has_the_language_of_the_release_unless_another_is_asked_for(
    two, fresh, tmp_path, monkeypatch, requested, language
):
    languages = []
    monkeypatch.setattr("tasks.registry.loading.LoadedRelease.language", "ja")
    page = "tasks.pages.verdicts.render_verdicts"
    monkeypatch.setattr(page, lambda *words: languages.append(words[-1]) or "page")
    request = ScoreRequest(tmp_path / "v.parquet", tmp_path / "page.html", language=requested)
    score(source(map_column(fresh), tmp_path / "new"), two, request)
    assert languages == [language]


@pytest.fixture
def line(small_line, tmp_path):
    """The champion v1 and the newer release v2, which stops more; to be changed."""
    artifacts = Path(shutil.copytree(small_line.artifacts_folder, tmp_path / "artifacts", ignore=NO_DRAFTS))
    folder = Path(shutil.copytree(artifacts / "releases" / "v1", artifacts / "releases" / "v2"))
    settings = json.loads((folder / "threshold.json").read_text())
    settings["thresholds"][0]["value"] *= 0.5
    (folder / "threshold.json").write_text(json.dumps(settings))
    reseal(folder, version="v2", fingerprint="2" * 64)
    return artifacts


def test_a_challenger_judges_beside_the_champion_and_the_journal_says_so_once(line, fresh, tmp_path):
    request = ScoreRequest(tmp_path / "v.parquet", shadow=True)
    new = source(map_column(fresh), tmp_path / "new")
    first, again = (score(new, line, request) for _ in range(2))
    assert first.release == "v1"
    assert first.shadow == again.shadow
    assert (first.shadow["challenger"], first.shadow["records"], first.shadow["labelled"]) == ("v2", 60, 60)
    alarms = first.shadow["false_alarms"]
    assert alarms["challenger"]["count"] >= alarms["champion"]["count"]
    assert alarms["champion"]["count"] == first.figures.false_alarms.count
    (entry,) = [entry for entry in read_journal(line).entries if entry.event == "shadowed"]
    assert (entry.subject, entry.facts["champion"]) == ("v2", "v1")
    assert score(new, line, replace(request, version="v1")).shadow is None, "another release was asked for"


def test_people_s_decisions_are_labels_of_what_was_judged_before(line, fresh, tmp_path):
    bare = map_column(fresh).select(["map"])
    request = ScoreRequest(tmp_path / "v.parquet", shadow=True)
    assert score(source(bare, tmp_path / "new"), line, request).shadow["labelled"] == 0
    record = pq.read_table(tmp_path / "v.parquet")["record"][0].as_py()
    decide(line, Decision(record=record, map=map_text(fresh.maps[0]), mode="1", label="1", by="M. Sato",
                          kind="unknown", picked="random", new=True), known=0)  # fmt: skip
    result = score(source(bare, tmp_path / "new"), line, request).shadow
    assert (result["labelled"], result["escapes"]["champion"]["of"]) == (1, 1)


def test_where_there_is_no_second_model_a_line_says_so(line, fresh, tmp_path, capsys):
    shutil.rmtree(line / "releases" / "v2")
    request = ScoreRequest(tmp_path / "v.parquet", shadow=True)
    assert score(source(map_column(fresh), tmp_path / "new"), line, request).shadow is None
    assert "no model judges beside v1: there is no candidate or challenger" in capsys.readouterr().err


def test_a_damaged_challenger_stops_no_verdict_of_the_champion(line, fresh, tmp_path, capsys):
    (line / "releases" / "v2" / "anchors.npz").write_bytes(b"damaged")
    result = score(source(map_column(fresh), tmp_path / "new"), line, ScoreRequest(tmp_path / "v.parquet", shadow=True))
    assert (result.shadow, sum(result.counts.values())) == (None, 60)
    assert "no model judges beside v1" in capsys.readouterr().err
