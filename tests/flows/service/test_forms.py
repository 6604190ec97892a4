"""The forms: lines are chosen, settings have a form of their own, and every other field stays as the flow has it."""

from __future__ import annotations

import pytest

from flows.drift import drift
from flows.export import export
from flows.retrain import retrain
from flows.service.forms import LONG_FORM, draw_form

LINES = ["terminal", "nihon"]


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
