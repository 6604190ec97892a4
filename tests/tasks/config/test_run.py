"""Settings check themselves, explain themselves, and are read by Prefect as they are by the command."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tasks.config.fields import allowed_values
from tasks.config.model import PRESETS, TowerConfig, TrainingConfig, parse_widths
from tasks.config.overrides import setting_fields
from tasks.config.run import (
    CostConfig,
    DataConfig,
    EvaluateConfig,
    GateConfig,
    ReportConfig,
    RunConfig,
    SplitConfig,
    TripletsConfig,
)
from tasks.core.errors import BadSetting

SECTIONS = (
    DataConfig,
    SplitConfig,
    TripletsConfig,
    TowerConfig,
    TrainingConfig,
    EvaluateConfig,
    GateConfig,
    CostConfig,
    ReportConfig,
    RunConfig,
)
FIELDS = [(kind, part) for kind in SECTIONS for part in dataclasses.fields(kind)]
BOUNDED = [(kind, part) for kind, part in FIELDS if part.metadata.get("least") is not None]
PLACES = {"train", "test", "revision", "data_folder", "artifacts_folder", "preset", "evaluate.dask"}
WORDING = {key for key in setting_fields() if key.startswith(("report.", "cost."))}  # tells a result in other words
BOUNDS = {"data.most_records", "data.most_bytes"}  # refuse a source, and change nothing of what is read
FORM = TypeAdapter(RunConfig)


def named(case: Any) -> str:
    return f"{case[0].__name__}.{case[1].name}"


def is_whole(kind: type, name: str) -> bool:
    return int in allowed_values(typing.get_type_hints(kind)[name])


@pytest.mark.parametrize("case", FIELDS, ids=named)
def test_every_setting_explains_itself(case):
    assert len(case[1].metadata["description"]) > 10


@pytest.mark.parametrize("case", BOUNDED, ids=named)
def test_bounds_are_inclusive_and_hold(case):
    kind, part = case
    least, most = part.metadata["least"], part.metadata["most"]
    for edge in (least, most):
        assert getattr(kind(**{part.name: edge}), part.name) == edge
    below, above = (least - 1, most + 1) if is_whole(kind, part.name) else (least - 1e-9, most * (1 + 1e-9) + 1e-9)
    for value in (below, above):
        with pytest.raises(BadSetting, match=f"{part.name}: expected at least .* and at most .*, found"):
            kind(**{part.name: value})


def test_every_number_has_bounds():
    numbers = [(k, p) for k, p in FIELDS if {int, float} & set(allowed_values(typing.get_type_hints(k)[p.name]))]
    assert [named(case) for case in numbers if case not in BOUNDED] == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none(value):
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
    with pytest.raises(BadSetting) as told:
        kind(**{name: value})
    assert str(told.value).startswith(f"{name}: expected {expected}")
    assert str(told.value).endswith(f"found {value!r}")


def test_whole_numbers_become_floats_where_floats_belong():
    """1 and 1.0 must give the same digest, so they must be the same value."""
    assert isinstance(TrainingConfig(margin=1).margin, float)
    assert RunConfig(split=SplitConfig(train=1)) == RunConfig(split=SplitConfig(train=1.0))
    assert isinstance(DataConfig(rows=2).rows, int)


@pytest.mark.parametrize("text", ["", "512-", "-512", "a-b", "512-0", "512,256", "65537", "9" * 5000, "1.5", "²"])
def test_widths_are_refused_when_the_run_is_configured(text):
    with pytest.raises(BadSetting, match="widths: expected positive numbers such as 512-256-128"):
        TowerConfig(widths=text)


def test_widths():
    assert parse_widths("512-256-128") == [512, 256, 128]
    assert parse_widths("65536") == [65536]


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_fills_every_gap_and_overrides_nothing(preset):
    filled = RunConfig(preset=preset).resolved()
    assert dataclasses.asdict(filled.tower) == PRESETS[preset]["tower"]
    assert dataclasses.asdict(filled.fit) == PRESETS[preset]["fit"]
    own = RunConfig(preset=preset, fit=TrainingConfig(margin=0.0, epochs=7)).resolved()
    assert (own.fit.margin, own.fit.epochs, own.fit.batch) == (0.0, 7, filled.fit.batch)
    assert own.resolved() == own


def test_notebook_preset_is_the_notebooks_recipe():
    run = RunConfig(preset="notebook", data=DataConfig(rows=36, cols=39)).resolved()
    assert run.tower.widths == "512-256-128"
    assert (run.fit.distance, run.fit.margin, run.fit.learning_rate) == ("euclidean", 0.4, 3e-5)
    assert (run.fit.batch, run.fit.epochs, run.fit.patience, run.seed) == (32, 20, 2, 42)


def test_science_holds_what_can_change_the_result_and_nothing_else():
    plain = RunConfig(preset="notebook").fingerprint_fields()
    moved = RunConfig(preset="notebook", train="a/b", test="c", revision="r", data_folder="d", artifacts_folder="e")
    moved = replace(
        moved,
        report=ReportConfig(language="ja"),
        cost=CostConfig(prevalence=0.1),
        data=DataConfig(most_records=7, most_bytes=7),
    )
    moved = replace(moved, evaluate=EvaluateConfig(dask="tcp://127.0.0.1:8786"))
    assert moved.fingerprint_fields() == plain
    spelled_out = RunConfig(
        tower=TowerConfig(**PRESETS["notebook"]["tower"]), fit=TrainingConfig(**PRESETS["notebook"]["fit"])
    )
    assert spelled_out.fingerprint_fields() == plain


@pytest.mark.parametrize("key", sorted(set(setting_fields()) - PLACES - WORDING - BOUNDS))
def test_science_knows_every_setting(key):
    """A setting that it forgets would give `unchanged` where something changed."""
    place, _, name = key.rpartition(".")
    science = RunConfig().fingerprint_fields()
    assert name in (science[place] if place else science)


def test_form_reads_dictionaries():
    run = FORM.validate_python({"train": "acme/boards", "fit": {"epochs": 3, "margin": 1}})
    assert run == RunConfig(train="acme/boards", fit=TrainingConfig(epochs=3, margin=1.0))
    assert FORM.validate_json(FORM.dump_json(RunConfig(seed=7))) == RunConfig(seed=7)


@pytest.mark.parametrize(
    "words",
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
def test_form_refuses_what_the_command_refuses(words):
    with pytest.raises(ValidationError):
        FORM.validate_python(words)


def test_form_shows_descriptions_and_bounds():
    schema = FORM.json_schema()
    margin = schema["$defs"]["TrainingConfig"]["properties"]["margin"]
    assert margin["description"].startswith("Margin")
    assert (margin["minimum"], margin["maximum"]) == (0, 1e6)
    assert schema["additionalProperties"] is False
    assert all("description" in field for field in schema["properties"].values())
