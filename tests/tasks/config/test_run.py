"""A run's settings go together, its folders are paths, and its fingerprint holds what can change the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.config.engine import EngineConfig
from tasks.config.model import PRESETS, TowerConfig, TrainingConfig
from tasks.config.overrides import setting_fields
from tasks.config.run import (
    LATER_GATE_SETTINGS,
    CostConfig,
    DataConfig,
    EvaluateConfig,
    GateConfig,
    ReportConfig,
    RunConfig,
    SplitConfig,
)
from tasks.core.errors import BadSetting

PLACES = {"train", "test", "revision", "data_folder", "artifacts_folder", "preset", "evaluate.dask", "engine.dask"}
PLACES |= {"zero.parent"}  # of that release the fingerprint counts (test_fingerprints.py)
WORDING = {key for key in setting_fields() if key.startswith(("report.", "cost."))}  # the same result in other words
MAXIMA = {"data.most_records", "data.most_bytes"}  # refuse a source, and change nothing of what is read


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"tower": TowerConfig(kind="conv", widths="64")}, "tower.widths: expected filters and the embedding"),
        ({"preset": "rt", "fit": TrainingConfig(prototype="mean-map")}, "expected mean-embedding for the RT distance"),
        ({"split": SplitConfig(replay="notebook")}, "split.replay: expected fit.batches=triplets, .* found records"),
        ({"preset": "notebook", "evaluate": {"score": "patches"}}, "expected tower.kind=conv for patches, found mlp"),
        (
            {"artifacts_folder": "s3://factory/boards"},
            "artifacts_folder s3://factory/boards: expected a folder; an add",
        ),
        ({"evaluate": {"dask": "localhost"}}, "expected a scheduler's address such as tcp://"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, text):
    with pytest.raises(BadSetting, match=text):
        RunConfig(**{key: EvaluateConfig(**value) if key == "evaluate" else value for key, value in settings.items()})


def test_folders_are_paths():
    run = RunConfig(data_folder="caches", artifacts_folder="out/line")
    assert (run.data_path, run.stages_path) == (Path("caches"), Path("caches/stages"))
    assert run.artifacts_path == Path("out/line")


def test_a_scheduler_is_used_only_by_extra_trainings():
    address = "tcp://127.0.0.1:8786"
    assert EvaluateConfig(dask=address).cluster() is None
    assert EvaluateConfig(dask=address, permutation=True).cluster() == address


def test_the_fingerprint_holds_what_can_change_the_result_and_nothing_else():
    plain = RunConfig(preset="notebook").fingerprint_fields()
    moved = RunConfig(preset="notebook", train="a/b", test="c", revision="r", data_folder="d", artifacts_folder="e")
    moved = replace(
        moved,
        report=ReportConfig(language="ja"),
        cost=CostConfig(prevalence=0.1),
        data=DataConfig(most_records=7, most_bytes=7),
        evaluate=EvaluateConfig(dask="tcp://127.0.0.1:8786"),
        engine=EngineConfig(dask="local:2"),
    )
    assert moved.fingerprint_fields() == plain
    explicit = RunConfig(
        tower=TowerConfig(**PRESETS["notebook"]["tower"]), fit=TrainingConfig(**PRESETS["notebook"]["fit"])
    )
    assert explicit.fingerprint_fields() == plain


LATER = {
    "data.id",
    "split.fixed",
    "split.replay",
    "evaluate.target_confidence",
    "evaluate.cross",
    "evaluate.shifts",
    *(f"gate.{name}" for name in LATER_GATE_SETTINGS),
}


def test_settings_that_came_later_count_where_they_are_set():
    """The fingerprint of a run that was stored without them stays the same."""
    plain, default = GateConfig().fingerprint_fields(), GateConfig(escape_margin=0.05, better=None)
    assert not set(plain) & set(LATER_GATE_SETTINGS)
    assert default.fingerprint_fields() == plain
    assert "fixed" not in RunConfig().fingerprint_fields()["split"]
    assert RunConfig(split=SplitConfig(fixed=True)).fingerprint_fields()["split"]["fixed"] is True
    assert "replay" not in RunConfig().fingerprint_fields()["split"]
    replayed = RunConfig(preset="notebook", split=SplitConfig(replay="notebook"))
    assert replayed.fingerprint_fields()["split"]["replay"] == "notebook"
    sure = EvaluateConfig(rule="target_fpr_pac", target_confidence=0.8).fingerprint_fields()
    assert sure["target_confidence"] == 0.8
    assert "target_confidence" not in EvaluateConfig(target_confidence=0.8).fingerprint_fields()
    assert "cross" not in EvaluateConfig().fingerprint_fields()
    assert EvaluateConfig(cross=5).fingerprint_fields()["cross"] == 5
    assert "shifts" not in EvaluateConfig().fingerprint_fields()
    assert EvaluateConfig(shifts=5).fingerprint_fields()["shifts"] == 5
    assert "id" not in RunConfig().fingerprint_fields()["data"]
    assert DataConfig(id="lot, serial").fingerprint_fields()["id"] == "lot, serial"
    assert DataConfig(id="lot, serial").id_columns == ("lot", "serial")
    for name in LATER_GATE_SETTINGS:
        value = {"better": "auroc", "spend": False, "approval": "required"}.get(name, 0.3)
        assert GateConfig(**{name: value}).fingerprint_fields() == plain | {name: value}


@pytest.mark.parametrize("key", sorted(set(setting_fields()) - PLACES - WORDING - MAXIMA - LATER))
def test_the_fingerprint_knows_every_setting(key):
    """A setting that it forgets would give `unchanged` where something changed."""
    section, _, name = key.rpartition(".")
    fields = RunConfig().fingerprint_fields()
    assert name in (fields[section] if section else fields)
