"""A run's settings beside its champion's: those that differ, by key."""

import json
from dataclasses import asdict

from tasks.config.model import TrainingConfig
from tasks.config.run import DataConfig, EvaluateConfig, GateConfig, ReportConfig, RunConfig, SplitConfig
from tasks.core.json_form import Json
from tasks.evaluation.evaluation_report import SettingChange
from tasks.promotion.setting_changes import setting_changes


def stored(config: RunConfig) -> Json:
    """The settings as a manifest holds them."""
    return json.loads(json.dumps(asdict(config.resolved())))


def test_the_same_settings_have_no_changes():
    assert setting_changes(RunConfig(), stored(RunConfig())) == ()


def test_what_differs_stands_with_both_values():
    champion = RunConfig(fit=TrainingConfig(epochs=9), gate=GateConfig(escape_margin=0.1))
    run = RunConfig(seed=7, split=SplitConfig(fixed=True), evaluate=EvaluateConfig(target=0.01))
    assert setting_changes(run, stored(champion)) == (
        SettingChange("seed", 42, 7),
        SettingChange("split.fixed", False, True),
        SettingChange("fit.epochs", 9, 18),
        SettingChange("evaluate.target", 0.05, 0.01),
        SettingChange("gate.escape_margin", 0.1, 0.05),
    )


def test_another_preset_is_named_with_what_it_changes():
    changes = setting_changes(RunConfig(preset="notebook"), stored(RunConfig()))
    assert changes[0] == SettingChange("preset", "best", "notebook")
    assert SettingChange("tower.kind", "conv", "mlp") in changes


def test_places_and_wording_are_no_changes():
    run = RunConfig(
        train="acme/boards",
        revision="main",
        artifacts_folder="elsewhere",
        data=DataConfig(most_records=7),
        evaluate=EvaluateConfig(dask="tcp://10.0.0.5:8786"),
        report=ReportConfig(language="ja"),
    )
    assert setting_changes(run, stored(RunConfig())) == ()


def test_a_champion_of_an_earlier_version_had_the_defaults():
    champion = stored(RunConfig())
    del champion["split"]["fixed"], champion["gate"]["escape_margin"]
    run = RunConfig(gate=GateConfig(escape_margin=0.2))
    assert setting_changes(run, champion) == (SettingChange("gate.escape_margin", 0.05, 0.2),)
