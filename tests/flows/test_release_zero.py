"""A line that begins with good parts alone: its first release, more good parts, and then the first defects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.flow_runs import in_place, run_flow
from support.inspected_parts import Parts, inspected, map_column

from flows.retrain import retrain
from flows.sweep import sweep
from tasks.config.overrides import apply_overrides
from tasks.config.search_space import Sweep
from tasks.registry.champion import champion_state

pytestmark = pytest.mark.slow
# Some seventy good test records cannot show that false alarms stay within the usual five points.
WIDE = ["gate.false_alarm_margin=1", "gate.escape_margin=1"]


def good_and_defective(records: Parts) -> Parts:
    """Parts whose defects only a tower can tell from good ones, as good what `hidden` calls mode 1.

    Two cells of a good part rise together; those of a defect rise against each other, or not at all.
    """
    mode = np.array([2, 0, 1])[records.mode]
    return Parts(records.maps, (mode > 0).astype(int), mode, records.group)


@pytest.fixture(scope="module")
def line(a_place, server, hidden, small_config, tmp_path_factory):
    """The runs on five revisions of one folder: good parts, the same, more of them, defects too, good parts again."""
    place = a_place(tmp_path_factory.mktemp("zero") / "place", server.env)
    (place.folder / "boards").mkdir()
    every = good_and_defective(hidden(500))
    good = every.take(every.mode == 0)
    revisions = {
        "first": good.take(slice(0, 300)),
        "same": good.take(slice(0, 300)),
        "more": good,
        "defects": every,
        "good again": good.take(slice(0, 400)),
    }
    runs = {}
    with in_place(place.folder, server):
        for name, records in revisions.items():
            pq.write_table(map_column(records), place.folder / "boards" / "table.parquet")
            runs[name] = run_flow(retrain, config=apply_overrides(small_config("boards"), WIDE))
            assert runs[name].error is None
    return place, runs


def test_too_few_good_parts_are_refused_with_the_number_that_is_needed(a_place, server, small_config, tmp_path):
    place = a_place(tmp_path / "place", server.env)
    (place.folder / "boards").mkdir()
    pq.write_table(map_column(inspected(modes=1, each=16)), place.folder / "boards" / "table.parquet")
    with in_place(place.folder, server):
        ended = run_flow(retrain, config=small_config("boards"))
    calibrate, test = str(ended.error).removeprefix("boards cannot be trained on: ").split("; enough ")
    assert calibrate == (
        "enough good records to calibrate on: expected 20 at least for evaluate.target=0.05, found 14; add records, or "
        "raise evaluate.target, or bring about 134 good parts in all"
    )
    assert test == "good test records: expected 20 at least, found 2; add records, or raise split.test"
    assert not (place.folder / "artifacts" / "releases").exists()


def test_good_parts_alone_make_the_first_release(line, server):
    """Its page and the run's artifacts say what is not known."""
    place, runs = line
    first = runs["first"].result
    assert (first.status, first.release, first.comparison) == ("released", "v1", None)
    assert first.metrics.keys() == {"good_fpr", "records"}
    texts = {key: artifact["data"] for key, artifact in server.artifacts(runs["first"].id).items()}
    assert "**detection power unknown**" in texts["verdict-boards"]
    assert "false alarms **" in texts["verdict-boards"]
    assert [row["figure"] for row in json.loads(texts["figures-boards"])] == ["false alarms"]
    manifest = json.loads((place.folder / "artifacts/releases/v1/manifest.json").read_text())
    assert manifest["zero"]["parts"] == 255


def test_the_same_good_parts_change_nothing(line):
    _, runs = line
    assert (runs["same"].result.status, runs["same"].result.release) == ("unchanged", "v1")


def test_more_good_parts_make_a_new_one_that_stops_no_more(line):
    _, runs = line
    more = runs["more"].result
    assert (more.status, more.release) == ("released", "v2")
    assert more.comparison["verdict"].startswith("no worse than the champion v1 on good parts: false alarms ")
    assert more.comparison["verdict"].endswith("what either finds of defects is unknown")
    assert [check["metric"] for check in more.comparison["checks"]] == ["good_fpr"]


def test_the_first_trained_model_challenges_it_in_good_or_defect(line):
    """AUROC of good or defect: 0.95 at least against 0.7 at most, on 200 records and more."""
    place, runs = line
    trained = runs["defects"].result
    assert (trained.status, trained.release) == ("released", "v3"), trained.reasons
    comparison = trained.comparison
    assert comparison["verdict"].startswith("better than the champion v2: good-or-defect AUROC difference +0.")
    assert "verification AUROC and mode accuracy were not compared, because v2 is made" in comparison["verdict"]
    assert comparison["figure"] == "good_auroc"
    assert comparison["difference"] > 0.1
    assert comparison["escapes"]["challenger"] < comparison["escapes"]["champion"]
    report = (Path(place.folder) / trained.path / "report.html").read_text()
    assert "It is made from good parts alone and knows no modes: both are compared in good or defect." in report


def test_good_parts_alone_do_not_replace_a_trained_model(line):
    place, runs = line
    again = runs["good again"].result
    assert (again.status, again.champion) == ("rejected", "v3")
    assert again.reasons == (
        "cannot be compared with the champion v3: it was trained with 3 modes, and good parts alone do not show what a "
        "model finds of defects",
    )
    assert champion_state(place.folder / "artifacts").champion == "v3"


def test_a_sweep_has_nothing_to_search(line, server, small_config):
    place, _ = line
    with in_place(place.folder, server):
        ended = run_flow(sweep, Sweep(run=small_config("boards"), grid=("fit.epochs=1,2",), seeds=1))
    assert str(ended.error) == (
        "boards cannot be trained on: two modes at least: of good parts alone there is nothing to train; kensa retrain "
        "makes a release of them"
    )
