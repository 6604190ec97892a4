"""Settings check themselves, describe themselves, and are read by Prefect as they are by the command."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tasks.config.fields import allowed_values
from tasks.config.model import TowerConfig, TrainingConfig
from tasks.config.run import DataConfig, EvaluateConfig, GateConfig, RunConfig, SplitConfig, TripletsConfig
from tasks.config.search_space import Sweep
from tasks.core.errors import BadSetting

SECTIONS = [part.default_factory for part in dataclasses.fields(RunConfig) if isinstance(part.default_factory, type)]
FIELDS = [(kind, part) for kind in (*SECTIONS, RunConfig, Sweep) for part in dataclasses.fields(kind)]
BOUNDED = [(kind, part) for kind, part in FIELDS if kind is not Sweep and part.metadata.get("json_schema_extra")]
FORM = TypeAdapter(RunConfig)


def named(case: Any) -> str:
    return f"{case[0].__name__}.{case[1].name}"


@pytest.mark.parametrize("case", FIELDS, ids=named)
def test_every_setting_describes_itself(case):
    assert len(case[1].metadata["description"]) > 10


@pytest.mark.parametrize("case", BOUNDED, ids=named)
def test_bounds_are_inclusive_and_hold(case):
    kind, part = case
    least, most = (part.metadata["json_schema_extra"][name] for name in ("minimum", "maximum"))
    for edge in (least, most):
        assert getattr(kind(**{part.name: edge}), part.name) == edge
    integer = int in allowed_values(kind, part.name)
    below, above = (least - 1, most + 1) if integer else (least - 1e-9, most * (1 + 1e-9) + 1e-9)
    for value in (below, above):
        with pytest.raises(BadSetting, match=f"{part.name}: expected at least .* and at most .*, found"):
            kind(**{part.name: value})


def test_every_number_has_bounds():
    numbers = [(kind, part) for kind, part in FIELDS if {int, float} & set(allowed_values(kind, part.name))]
    assert [
        named(case) for case in numbers if set(case[1].metadata["json_schema_extra"]) != {"minimum", "maximum"}
    ] == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_is_finite(value):
    with pytest.raises(BadSetting, match="margin"):
        TrainingConfig(margin=value)


@pytest.mark.parametrize(
    ("kind", "name", "value", "expected"),
    [
        (DataConfig, "rows", "36", "int"),
        (DataConfig, "rows", 36.0, "int"),
        (DataConfig, "rows", True, "int"),
        (DataConfig, "rows", None, "int"),
        (DataConfig, "rows", int, "int"),
        (DataConfig, "good", 0, "str"),
        (SplitConfig, "train", "half", "float"),
        (SplitConfig, "train", True, "float"),
        (TripletsConfig, "replace_crossing", 1, "bool"),
        (TowerConfig, "kind", "cnn", "mlp, conv, or module:name"),
        (TrainingConfig, "distance", "manhattan", "euclidean, squared-euclidean, cosine, snr, rt, or module:name"),
        (TrainingConfig, "epochs", 2.5, "int or none"),
        (EvaluateConfig, "rule", None, "'target_fpr'"),
        (GateConfig, "figure", "accuracy", "'auroc'"),
        (RunConfig, "preset", "nobody", "'best'"),
        (RunConfig, "fit", {"epochs": 3}, "TrainingConfig"),
    ],
)
def test_wrong_types_are_named_with_what_was_expected(kind, name, value, expected):
    with pytest.raises(BadSetting) as error:
        kind(**{name: value})
    assert str(error.value).startswith(f"{name}: expected {expected}")
    assert str(error.value).endswith(f"found {value!r}")


def test_whole_numbers_become_floats_where_floats_belong():
    """1 and 1.0 must give the same digest, so they must be the same value."""
    assert isinstance(TrainingConfig(margin=1).margin, float)
    assert RunConfig(split=SplitConfig(train=1)) == RunConfig(split=SplitConfig(train=1.0))
    assert isinstance(DataConfig(rows=2).rows, int)


def test_prefects_form_reads_dictionaries():
    run = FORM.validate_python({"train": "acme/boards", "fit": {"epochs": 3, "margin": 1}})
    assert run == RunConfig(train="acme/boards", fit=TrainingConfig(epochs=3, margin=1.0))
    assert FORM.validate_json(FORM.dump_json(RunConfig(seed=7))) == RunConfig(seed=7)


@pytest.mark.parametrize(
    "values",
    [
        {"nope": 1},
        {"fit": {"nope": 1}},
        {"fit": {"epochs": 0}},
        {"fit": {"epochs": 2.5}},
        {"fit": {"distance": "manhattan"}},
        {"fit": {"margin": float("nan")}},
        {"fit": None},
        {"split": {"train": 0}},
        {"tower": {"widths": "none at all"}},
        {"preset": "nobody"},
        {"seed": -1},
        {"train": None},
    ],
)
def test_prefects_form_refuses_what_the_command_refuses(values):
    with pytest.raises(ValidationError):
        FORM.validate_python(values)


def test_prefects_form_shows_descriptions_and_bounds():
    schema = FORM.json_schema()
    margin = schema["$defs"]["TrainingConfig"]["properties"]["margin"]
    assert margin["description"].startswith("Margin")
    assert (margin["minimum"], margin["maximum"]) == (0, 1e6)
    assert schema["additionalProperties"] is False
    assert all("description" in field for field in schema["properties"].values())
