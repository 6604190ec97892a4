"""The forms: lines are chosen, settings have a form of their own, and every other field stays as the flow has it."""

from __future__ import annotations

import pytest

from flows.champion import approve
from flows.drift import drift
from flows.export import export
from flows.retrain import retrain
from flows.service.forms import LONG_FORM, draw_approvals, draw_form

LINES = ["terminal", "nihon"]
WAITING = {"nihon v3": "better than the champion v2; escapes: 8 → 5 of 100."}


def drawn(flow, deployment="any"):
    return draw_form(flow.parameters.model_dump(), flow.name, deployment, LINES)


def test_a_retraining_of_a_line_has_a_short_form():
    form = drawn(retrain)
    assert list(form["properties"]) == ["line", "revision", "settings"]
    line = form["properties"]["line"]
    assert (line["type"], line["enum"]) == ("string", ["all", *LINES])
    assert line["description"].startswith("A product line")
    assert "default" not in line, "the form would send null, which is no choice"
    assert form["definitions"] == {}
    assert form["required"] == ["line"]


def test_the_settings_have_a_form_of_their_own():
    form = drawn(retrain, LONG_FORM)
    assert list(form["properties"]) == ["config"]
    assert "TrainingConfig" in form["definitions"]


@pytest.mark.parametrize(("flow", "choices"), [(drift, ["all", *LINES]), (export, LINES)], ids=["drift", "export"])
def test_all_is_a_choice_where_the_flow_knows_it(flow, choices):
    form, whole = drawn(flow), flow.parameters.model_dump()
    assert form["properties"]["line"]["enum"] == choices
    assert form["properties"]["line"].get("default") == whole["properties"]["line"]["default"]
    others = {name: field for name, field in form["properties"].items() if name != "line"}
    assert others == {name: field for name, field in whole["properties"].items() if name != "line"}


def test_candidates_are_chosen_and_what_speaks_for_them_is_read():
    form = draw_approvals(drawn(approve), WAITING)
    assert list(form["properties"]) == ["candidate", "decision", "by", "reason"]
    assert form["required"] == ["candidate", "reason"]
    assert form["properties"]["candidate"]["enum"] == ["nihon v3"]
    text = form["properties"]["candidate"]["description"]
    assert text.endswith("  Waiting: nihon v3: better than the champion v2; escapes: 8 → 5 of 100.")
    assert form["properties"]["decision"]["enum"] == ["approve", "refuse"]


def test_a_form_that_is_drawn_again_forgets_who_waited():
    again = draw_approvals(draw_approvals(drawn(approve), WAITING), {})
    assert "enum" not in again["properties"]["candidate"]
    assert again["properties"]["candidate"]["description"].endswith("  Waiting: none.")
    assert again == draw_approvals(drawn(approve), {})
