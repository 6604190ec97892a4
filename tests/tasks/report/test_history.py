"""The history of a line: its models in their order, who was champion when, and what people decided."""

from __future__ import annotations

import json

import pytest
from support import inspected_parts as parts
from support.histories import line_of
from support.releases import reseal, stored_release

from tasks.core.authorship import Authorship
from tasks.registry.champion import promote, rollback
from tasks.registry.observations import keep_observation
from tasks.registry.releases import get_release
from tasks.report.history import line_history

SATO = Authorship("M. Sato", "false alarms on lot 7")
GATE = Authorship("line", "by the gate: better")


@pytest.fixture
def line(tmp_path):
    """v1 and v2 by the gate, v3 by the gate and back to v2 by a person; nobody promoted v4."""
    difference = {"difference": 0.03, "interval": [0.01, 0.05]}
    for number in range(1, 5):
        compared = {"compared_with": f"v{number - 1}", "comparison": difference} if number > 1 else {}
        created = f"2026-01-{number:02}T03:04:05+00:00"
        stored_release(tmp_path, f"v{number}", created=created, **compared)
        if number < 4:
            promote(tmp_path, f"v{number}", GATE)
    rollback(tmp_path, SATO)
    return tmp_path


def test_figures_have_the_intervals_of_the_report(line):
    first = line_history(line).models[0]
    assert (first.name, first.status, first.frozen, first.against) == ("v1", "released", "f1", None)
    assert first.auroc.value == 0.9
    assert first.auroc.interval == pytest.approx((0.85, 0.95))


def test_a_model_is_better_where_its_whole_interval_is_above_zero(line):
    assert [model.is_better for model in line_history(line).models] == [False, True, True, True]


def test_a_reign_ends_where_the_next_begins(line):
    history = line_history(line)
    # The moves were made after the models' dates: the last one alone has a place, behind them.
    assert [reign.name for reign in history.reigns][-1] == "v2"
    assert history.champion == "v2"
    assert (history.reigns[-1].start, history.reigns[-1].end) == (3.5, 4.0)
    assert [model.name for model in history.since_champion] == ["v3", "v4"]


def test_moves_between_models_stand_between_them(tmp_path):
    for number, when in ((1, "2020"), (2, "2090")):
        stored_release(tmp_path, f"v{number}", created=f"{when}-01-01T00:00:00+00:00")
    promote(tmp_path, "v1", GATE)
    (reign,) = line_history(tmp_path).reigns
    assert (reign.start, reign.end) == (0.0, 1.5), "at its own model, for the other one came later"
    promote(tmp_path, "v2", GATE)
    assert [(reign.name, reign.start) for reign in line_history(tmp_path).reigns] == [("v1", 0.0), ("v2", 0.5)]


def test_the_gates_moves_are_no_decisions_of_people(line):
    (entry,) = line_history(line).decisions
    assert (entry.event, entry.subject, entry.by, entry.why) == ("rolled back", "v2", "M. Sato", SATO.why)


def test_the_last_observation_of_each_kind_belongs_to_its_model(line):
    for version, status in (("v1", "drifted"), ("v2", "watch")):
        keep_observation(line, get_release(line, version), "drift", "monday.csv", status, {"status": status})
    history = line_history(line)
    assert [model.drift and model.drift.facts["status"] for model in history.models[:3]] == ["drifted", "watch", None]
    assert len(history.observations) == 2


def test_a_release_without_figures_has_none(tmp_path):
    parts.release(tmp_path, "v1")
    promote(tmp_path, "v1")
    (model,) = line_history(tmp_path).models
    assert (model.auroc.value, model.escapes.value, model.created) == (None, None, None)


def test_escapes_are_what_is_not_found(tmp_path):
    figures = {"good_tpr": 0.8, "good_fpr": 0.1}
    folder = stored_release(tmp_path, "v1", metrics=figures)
    report = json.loads((folder / "report.json").read_text())
    report["figures"] |= {**figures, "good_tpr_interval": [0.7, 0.85], "good_fpr_interval": [0.05, 0.2]}
    (folder / "report.json").write_text(json.dumps(report))
    reseal(folder)
    promote(tmp_path, "v1")
    (model,) = line_history(tmp_path).models
    assert model.escapes.value == pytest.approx(0.2)
    assert model.escapes.interval == pytest.approx((0.15, 0.3))
    assert model.false_alarms.interval == (0.05, 0.2)


def test_an_empty_folder_has_no_history(tmp_path):
    history = line_history(tmp_path)
    assert (history.models, history.champion, history.reigns) == ((), None, ())


def test_the_json_form_has_what_a_reader_asks_for():
    told = line_of(4).as_json()
    assert told["champion"] == "v4"
    assert [model["better"] for model in told["models"]] == [False, True, False, True]
    assert told["models"][3]["escapes"]["interval"] == pytest.approx((0.12, 0.2))
    assert told["decisions"][0]["why"] == "false alarms on lot 7"
